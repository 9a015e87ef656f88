// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { ANONYMOUS, type Keychain } from '../core/oci/credentials.ts';
import { BLOB, BLOB_DIGEST, clientOf, keychainFor, loginTo } from './testing/client.ts';
import { complain, makeManifest, repositoryAt, say, serve, type Made, type Served } from './testing/serve.ts';

/** Gives a token for `user:p`, and content for the token. */
function serveTokens(t: ExecutionContext, made: Made, realm?: string): Promise<Served> {
  return serve(t, ({ url = '', headers }, response, host) => {
    if (url.startsWith('/token')) {
      const user = Buffer.from(headers.authorization?.slice(6) ?? '', 'base64')
        .toString()
        .split(':')[0];
      return user === 'bad'
        ? complain(response, 401, 'UNAUTHORIZED')
        : say(response, 200, { token: `for-${user}`, expires_in: 300 });
    }
    if (!headers.authorization?.startsWith('Bearer for-')) {
      const at = realm ?? `http://${host}/token`;
      return void response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="${at}",service="s",scope="repository:other:push"`,
        })
        .end();
    }
    return void response
      .writeHead(200, { 'content-type': made.type, 'docker-content-digest': made.digest })
      .end(made.bytes);
  });
}

test('a token is fetched once, for reading alone, and used again', async (t) => {
  const made = makeManifest();
  const server = await serveTokens(t, made);
  const client = clientOf(t, [server]);
  const asking = { keychain: loginTo(server.host) };
  for (const tag of ['v1', 'v2'])
    t.like(await client.resolve({ ...repositoryAt(server), tag }, asking), { kind: 'ok' });
  t.deepEqual(server.asked, [
    'HEAD /v2/team/app/manifests/v1',
    'GET /token?service=s&scope=repository%3Ateam%2Fapp%3Apull',
    'HEAD /v2/team/app/manifests/v1',
    'HEAD /v2/team/app/manifests/v2',
  ]);
});

test('credentials are not sent before they are asked for, nor in any other way than is asked for', async (t) => {
  const server = await serveTokens(t, makeManifest());
  const client = clientOf(t, [server]);
  await client.resolve({ ...repositoryAt(server), tag: 'v1' }, { keychain: loginTo(server.host) });
  t.deepEqual(
    server.authorizations.map((one) => one?.split(' ')[0]),
    [undefined, 'Basic', 'Bearer'],
  );
});

test('what one may read, another does not get from memory', async (t) => {
  const made = makeManifest();
  const server = await serve(t, ({ headers }, response) => {
    const user = Buffer.from(headers.authorization?.slice(6) ?? '', 'base64').toString();
    if (headers.authorization === undefined)
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    return user === 'alice:p' ? void response.end(made.bytes) : complain(response, 403, 'DENIED');
  });
  const client = clientOf(t, [server]);
  const ask = (keychain: Keychain) => client.manifest(repositoryAt(server), made.digest, { keychain });
  const [alice, bob] = [loginTo(server.host, 'alice'), loginTo(server.host, 'bob')];
  // At the same time, and one after the other.
  const answers = await Promise.all([ask(alice), ask(bob), ask(ANONYMOUS)]);
  t.deepEqual(
    answers.map(({ kind }) => kind),
    ['ok', 'refused', 'refused'],
  );
  t.is((await ask(bob)).kind, 'refused');
  const before = server.asked.length;
  t.is((await ask(alice)).kind, 'ok');
  t.is(server.asked.length, before);
});

test('the next login is tried where one does not suffice', async (t) => {
  const made = makeManifest();
  const server = await serveTokens(t, made);
  const auths = {
    [`${server.host}/team`]: { username: 'bad', password: 'p' },
    [server.host]: { username: 'good', password: 'p' },
  };
  const keychain = keychainFor(auths);
  const answer = await clientOf(t, [server]).resolve({ ...repositoryAt(server), tag: 'v1' }, { keychain });
  t.is(answer.kind, 'ok');
});

test('credentials of one registry are not sent to another, wherever it is that it leads', async (t) => {
  const made = makeManifest();
  const other = await serve(t, ({ headers }, response) =>
    headers.authorization === undefined
      ? void response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
      : void response.end(made.bytes),
  );
  const server = await serve(t, ({ url, headers }, response) =>
    headers.authorization === undefined
      ? void response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
      : void response.writeHead(307, { location: `http://${other.host}${url}` }).end(),
  );
  const client = clientOf(t, [server, other]);
  const answer = await client.manifest(repositoryAt(server), made.digest, { keychain: loginTo(server.host) });
  t.is(answer.kind, 'refused');
  t.deepEqual(other.authorizations, [undefined]);
});

test('storage that a registry leads on to is read, without credentials', async (t) => {
  const storage = await serve(t, (_, response) => void response.end(BLOB));
  const server = await serve(t, ({ headers }, response) =>
    headers.authorization === undefined
      ? void response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
      : void response.writeHead(307, { location: `http://${storage.host}/x?signature=y` }).end(),
  );
  const client = clientOf(t, [server, storage]);
  const wanted = { digest: BLOB_DIGEST, size: BLOB.length };
  const answer = await client.blob(repositoryAt(server), wanted, { keychain: loginTo(server.host) });
  t.is(answer.kind, 'ok', JSON.stringify(answer));
  t.deepEqual(storage.authorizations, [undefined]);
});

test('an identity token is exchanged', async (t) => {
  const forms: string[] = [];
  const server = await serve(t, (request, response, host) => {
    if (request.url === '/token') {
      request.on('data', (chunk) => forms.push(String(chunk)));
      return void request.on('end', () => say(response, 200, { access_token: 'x' }));
    }
    return request.headers.authorization === 'Bearer x'
      ? void response.writeHead(200, { 'docker-content-digest': makeManifest().digest }).end()
      : void response
          .writeHead(401, { 'www-authenticate': `Bearer realm="http://${host}/token",service="s"` })
          .end();
  });
  const keychain = keychainFor({ [server.host]: { identitytoken: 'secret' } });
  const answer = await clientOf(t, [server]).resolve({ ...repositoryAt(server), tag: 'v1' }, { keychain });
  t.is(answer.kind, 'ok', JSON.stringify(answer));
  t.deepEqual(Object.fromEntries(new URLSearchParams(forms.join(''))), {
    service: 's',
    scope: 'repository:team/app:pull',
    grant_type: 'refresh_token',
    client_id: 'nexusos',
    refresh_token: 'secret',
  });
});

test('no message has a password, a token or a query in it', async (t) => {
  const server = await serve(t, ({ url = '' }, response, host) =>
    url.startsWith('/token')
      ? say(response, 403, { token: 'leaked' })
      : void response
          .writeHead(401, { 'www-authenticate': `Bearer realm="http://${host}/token?key=leaked"` })
          .end(),
  );
  const answer = await clientOf(t, [server]).resolve(
    { ...repositoryAt(server), tag: 'v1' },
    { keychain: loginTo(server.host, 'leaked') },
  );
  t.is(answer.kind, 'refused');
  t.notRegex(JSON.stringify(answer), /leaked/);
});
