// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { createAuthority, issue } from '#hack/cluster/certificates';
import { ANONYMOUS, keychainOf, type Keychain, readDockerConfig } from '../core/oci/credentials.ts';
import { digestOfBytes } from '../core/oci/digest.ts';
import { type ClientOptions, RegistryClient } from './client.ts';
import type { RegistrySettings } from './settings.ts';
import { complain, type Made, makeManifest, repositoryAt, say, serve, type Served } from './testing/serve.ts';

const ASKING = { keychain: ANONYMOUS };
const BLOB = Buffer.from('some bytes');
const BLOB_DIGEST = digestOfBytes(BLOB);

/** A client that may ask servers of the test, by http. */
function clientOf(
  t: ExecutionContext,
  servers: readonly Served[],
  { registries = [], ...options }: Partial<ClientOptions> = {},
): RegistryClient {
  const own = servers
    .filter(({ host }) => !registries.some((one) => one.host === host))
    .map(({ host }): RegistrySettings => ({ host, isPrivate: true, isPlainHttp: true }));
  const client = new RegistryClient({ timeoutMs: 3000, ...options, registries: [...own, ...registries] });
  t.teardown(() => client.close());
  return client;
}

function loginTo(host: string, username = 'u'): Keychain {
  const read = readDockerConfig(JSON.stringify({ auths: { [host]: { username, password: 'p' } } }));
  if (read.kind !== 'ok') throw new Error(JSON.stringify(read));
  return keychainOf([read.config]);
}

/** Has one manifest, and a blob. */
function serveContent(t: ExecutionContext, made: Made): Promise<Served> {
  return serve(t, ({ url = '', method }, response) => {
    if (url.endsWith(`/blobs/${BLOB_DIGEST}`)) return void response.end(BLOB);
    if (!url.endsWith(`/manifests/${made.digest}`) && !url.endsWith('/manifests/v1'))
      return complain(response, 404, 'MANIFEST_UNKNOWN');
    response.writeHead(200, {
      'content-type': made.type,
      'docker-content-digest': made.digest,
      'content-length': made.bytes.length,
    });
    return void response.end(method === 'HEAD' ? undefined : made.bytes);
  });
}

test('a tag is resolved without reading what it stands for; what it stands for is read by digest', async (t) => {
  const made = makeManifest({ annotations: { a: 'b' } });
  const server = await serveContent(t, made);
  const client = clientOf(t, [server]);
  const resolved = await client.resolve({ ...repositoryAt(server), tag: 'v1' }, ASKING);
  t.deepEqual(resolved, { kind: 'ok', value: { digest: made.digest, mediaType: made.type } });
  const manifest = await client.manifest(repositoryAt(server), made.digest, ASKING);
  t.like(manifest, { kind: 'ok', value: { annotations: { a: 'b' }, digest: made.digest } });
  const blob = await client.blob(repositoryAt(server), { digest: BLOB_DIGEST, size: BLOB.length }, ASKING);
  t.is(blob.kind === 'ok' && Buffer.from(blob.value).toString(), 'some bytes');
  t.deepEqual(server.asked, [
    'HEAD /v2/team/app/manifests/v1',
    `GET /v2/team/app/manifests/${made.digest}`,
    `GET /v2/team/app/blobs/${BLOB_DIGEST}`,
  ]);
});

test('what is not there is absent, and nothing else is', async (t) => {
  const server = await serveContent(t, makeManifest());
  const client = clientOf(t, [server]);
  const other = digestOfBytes(Buffer.from('other'));
  for (const reference of [{ tag: 'v2' }, { digest: other }])
    t.like(await client.resolve({ ...repositoryAt(server), ...reference }, ASKING), { kind: 'absent' });
  t.like(await client.manifest(repositoryAt(server), other, ASKING), { kind: 'absent' });
});

/** How a server answers, and what is made of it. None of these is `absent`. */
const TROUBLE: Readonly<
  Record<string, { readonly answer: Parameters<typeof serve>[1]; readonly want: object }>
> = {
  '404 by a proxy': {
    answer: (_, response) =>
      void response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>not found'),
    want: { kind: 'unreachable' },
  },
  '404 without a word': {
    answer: (_, response) => void response.writeHead(404).end(),
    want: { kind: 'unreachable' },
  },
  '401 without a way': {
    answer: (_, response) => complain(response, 401, 'UNAUTHORIZED'),
    want: { kind: 'broken' },
  },
  '403': {
    answer: (_, response) => complain(response, 403, 'DENIED'),
    want: { kind: 'refused', by: 'Registry' },
  },
  '429 with a time': {
    answer: (_, response) => void response.writeHead(429, { 'retry-after': '7' }).end(),
    want: { kind: 'throttled', retryAfterMs: 7000 },
  },
  '429 without a time': {
    answer: (_, response) => void response.writeHead(429).end(),
    want: { kind: 'throttled', retryAfterMs: undefined },
  },
  'too many requests by another status': {
    answer: (_, response) => complain(response, 400, 'TOOMANYREQUESTS'),
    want: { kind: 'throttled' },
  },
  '500': { answer: (_, response) => void response.writeHead(500).end(), want: { kind: 'unreachable' } },
  '503 with a time': {
    answer: (_, response) => void response.writeHead(503, { 'retry-after': '30' }).end(),
    want: { kind: 'unreachable', retryAfterMs: 30_000 },
  },
  'a closed connection': { answer: (_, response) => void response.destroy(), want: { kind: 'unreachable' } },
  silence: { answer: () => {}, want: { kind: 'unreachable' } },
  'a page for people': {
    answer: (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>hello'),
    want: { kind: 'broken' },
  },
  'another manifest': {
    answer: (_, response) => void response.end(makeManifest({ annotations: { another: 'one' } }).bytes),
    want: { kind: 'broken' },
  },
  'no content': { answer: (_, response) => void response.writeHead(204).end(), want: { kind: 'broken' } },
  'a redirect to nowhere': {
    answer: (_, response) => void response.writeHead(302).end(),
    want: { kind: 'broken' },
  },
  'a circle of redirects': {
    answer: ({ url }, response) => void response.writeHead(302, { location: `${url}` }).end(),
    want: { kind: 'broken' },
  },
  'a redirect to a metadata service': {
    answer: (_, response) =>
      void response.writeHead(302, { location: 'http://169.254.169.254/latest/' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a redirect to a metadata service by https': {
    answer: (_, response) => void response.writeHead(307, { location: 'https://169.254.169.254/' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a redirect to the network of the cluster': {
    answer: (_, response) => void response.writeHead(307, { location: 'https://10.96.0.1/' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a redirect to a name of this machine': {
    answer: (_, response) => void response.writeHead(307, { location: 'https://localhost:1/' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a redirect to a file': {
    answer: (_, response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a redirect with a password': {
    answer: (_, response) => void response.writeHead(302, { location: 'https://u:p@example.com/' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'an endless body': {
    answer: (_, response) => {
      const more = (): void =>
        void (response.write(Buffer.alloc(64 * 1024)) ? setImmediate(more) : response.once('drain', more));
      more();
    },
    want: { kind: 'broken' },
  },
  'a body that is announced as too large': {
    answer: (_, response) => void response.writeHead(200, { 'content-length': 2 ** 40 }).write('x'),
    want: { kind: 'broken' },
  },
  'a body that never ends, byte by byte': {
    answer: (_, response) => {
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    },
    want: { kind: 'unreachable' },
  },
  'something packed': {
    answer: (_, response) =>
      void response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.alloc(100)),
    want: { kind: 'broken' },
  },
  'a header without an end': {
    answer: ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}`);
    },
    want: { kind: 'unreachable' },
  },
  'a token from a metadata service': {
    answer: (_, response) =>
      void response
        .writeHead(401, { 'www-authenticate': 'Bearer realm="http://169.254.169.254/token"' })
        .end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a token from the network of the cluster': {
    answer: (_, response) =>
      void response.writeHead(401, { 'www-authenticate': 'Bearer realm="https://10.0.0.1/token"' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a token from no address': {
    answer: (_, response) =>
      void response.writeHead(401, { 'www-authenticate': 'Bearer realm="token"' }).end(),
    want: { kind: 'broken' },
  },
  'a token from an address with a password': {
    answer: (_, response) =>
      void response.writeHead(401, { 'www-authenticate': 'Bearer realm="https://u:p@example.com/"' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
};

for (const [title, { answer, want }] of Object.entries(TROUBLE)) {
  test(`trouble: ${title}`, async (t) => {
    const server = await serve(t, answer);
    const client = clientOf(t, [server], { timeoutMs: 1500 });
    const startedAt = performance.now();
    const got = await client.manifest(repositoryAt(server), makeManifest().digest, ASKING);
    t.like(got, want, JSON.stringify(got));
    t.true(performance.now() - startedAt < 5000);
  });
}

test('a lie about a blob is found, whatever its length', async (t) => {
  const lies: Readonly<Record<string, Buffer>> = {
    other: Buffer.from('other byte'),
    longer: Buffer.concat([BLOB, BLOB]),
    shorter: BLOB.subarray(1),
    none: Buffer.alloc(0),
  };
  const server = await serve(t, ({ url = '' }, response) => {
    const name = url.split('/')[2] ?? '';
    response.end(lies[name]);
  });
  const client = clientOf(t, [server]);
  for (const repository of Object.keys(lies)) {
    const answer = await client.blob(
      { registry: server.host, repository },
      { digest: BLOB_DIGEST, size: BLOB.length },
      ASKING,
    );
    t.is(answer.kind, 'broken', repository);
  }
});

test('what is larger than is wanted is not asked for', async (t) => {
  const server = await serveContent(t, makeManifest());
  const asked = { digest: BLOB_DIGEST, size: 2 ** 30 };
  const answer = await clientOf(t, [server]).blob(repositoryAt(server), asked, ASKING);
  t.is(answer.kind, 'broken');
  t.deepEqual(server.asked, []);
});

test('a host that the platform does not list is not asked where its address is not public, nor by http', async (t) => {
  const server = await serveContent(t, makeManifest());
  const client = clientOf(t, []);
  const port = server.host.split(':')[1];
  for (const host of [
    'localhost',
    '127.0.0.1',
    '[::1]',
    '10.0.0.1',
    '169.254.169.254',
    '[::ffff:127.0.0.1]',
  ]) {
    const answer = await client.resolve({ registry: `${host}:${port}`, repository: 'a', tag: 'v1' }, ASKING);
    t.like(answer, { kind: 'refused', by: 'Platform' }, host);
  }
  t.deepEqual(server.asked, []);
});

test('metadata services are not asked even where they are listed', async (t) => {
  const host = '169.254.169.254';
  const client = clientOf(t, [], { registries: [{ host, isPrivate: true, isPlainHttp: true }] });
  const answer = await client.resolve({ registry: host, repository: 'a', tag: 'v1' }, ASKING);
  t.like(answer, { kind: 'refused', by: 'Platform' });
});

test('names that would lead elsewhere are not asked', async (t) => {
  const server = await serveContent(t, makeManifest());
  const client = clientOf(t, [server]);
  for (const repository of ['../../token', 'a?x=1', 'a#b', 'a/%2e%2e', 'A', ''])
    t.like(
      await client.resolve({ registry: server.host, repository, tag: 'v1' }, ASKING),
      { kind: 'refused' },
      repository,
    );
  t.is((await client.resolve({ ...repositoryAt(server), tag: '../blobs/x' }, ASKING)).kind, 'broken');
  t.is((await client.manifest(repositoryAt(server), '../x', ASKING)).kind, 'broken');
  t.is((await client.referrers(repositoryAt(server), '../x', ASKING)).kind, 'broken');
  t.deepEqual(server.asked, []);
});

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
  const read = readDockerConfig(JSON.stringify({ auths }));
  if (read.kind !== 'ok') throw new Error(JSON.stringify(read));
  const answer = await clientOf(t, [server]).resolve(
    { ...repositoryAt(server), tag: 'v1' },
    { keychain: keychainOf([read.config]) },
  );
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
  const read = readDockerConfig(JSON.stringify({ auths: { [server.host]: { identitytoken: 'secret' } } }));
  if (read.kind !== 'ok') throw new Error(JSON.stringify(read));
  const answer = await clientOf(t, [server]).resolve(
    { ...repositoryAt(server), tag: 'v1' },
    { keychain: keychainOf([read.config]) },
  );
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

test('those who ask the same at the same time ask once; who leaves ends it for nobody else', async (t) => {
  const made = makeManifest();
  const server = await serve(t, (_, response) => void setTimeout(() => response.end(made.bytes), 200));
  const client = clientOf(t, [server]);
  const leaving = client.manifest(repositoryAt(server), made.digest, {
    ...ASKING,
    signal: AbortSignal.timeout(20),
  });
  const staying = Array.from({ length: 20 }, () =>
    client.manifest(repositoryAt(server), made.digest, ASKING),
  );
  t.like(await leaving, { kind: 'unreachable' });
  for (const answer of await Promise.all(staying)) t.is(answer.kind, 'ok');
  t.is(server.asked.length, 1);
});

test('a registry that asks to be left alone is left alone, by who was told so', async (t) => {
  const server = await serve(t, ({ headers }, response) =>
    headers.authorization === undefined
      ? void response.writeHead(429, { 'retry-after': '60' }).end()
      : void response.end(),
  );
  const client = clientOf(t, [server]);
  for (let i = 0; i < 50; i += 1) {
    const answer = await client.resolve({ ...repositoryAt(server), tag: `v${i}` }, ASKING);
    t.like(answer, { kind: 'throttled' });
    if (answer.kind === 'throttled') t.true((answer.retryAfterMs ?? 0) > 50_000);
  }
  t.is(server.asked.length, 1);
  // Somebody else may have more left.
  await client.resolve({ ...repositoryAt(server), tag: 'v' }, { keychain: loginTo(server.host) });
  t.is(server.asked.length, 2);
});

test('a registry that does not answer is left alone after a while, and tried again', async (t) => {
  let isDown = true;
  const made = makeManifest();
  const server = await serve(t, (_, response) =>
    isDown ? void response.destroy() : void response.end(made.bytes),
  );
  const client = clientOf(t, [server], { limits: { failures: 3, openMs: 400 } });
  for (let i = 0; i < 20; i += 1)
    t.like(await client.resolve({ ...repositoryAt(server), tag: `v${i}` }, ASKING), { kind: 'unreachable' });
  const asked = server.asked.length;
  t.true(asked <= 6, `${asked}`);
  isDown = false;
  await t.notThrowsAsync(async () => {
    const endsAt = performance.now() + 5000;
    while ((await client.manifest(repositoryAt(server), made.digest, ASKING)).kind !== 'ok')
      if (performance.now() > endsAt) throw new Error('it is not tried again');
      else await new Promise((resolve) => setTimeout(resolve, 50));
  });
});

test('a passing failure is tried again at once', async (t) => {
  let left = 2;
  const made = makeManifest();
  const server = await serve(t, (_, response) => {
    left -= 1;
    return left >= 0 ? void response.writeHead(503).end() : void response.end(made.bytes);
  });
  t.is((await clientOf(t, [server]).manifest(repositoryAt(server), made.digest, ASKING)).kind, 'ok');
  t.is(server.asked.length, 3);
});

test('one that is slow takes no place from others, and is not asked more than so much at a time', async (t) => {
  const made = makeManifest();
  const slow = await serve(t, () => {});
  const quick = await serve(t, (_, response) => void response.end(made.bytes));
  const client = clientOf(t, [slow, quick], { limits: { perHost: 2, inAll: 4, waiting: 3 } });
  const waiting = Array.from({ length: 10 }, (_, i) =>
    client.resolve({ ...repositoryAt(slow), tag: `v${i}` }, ASKING),
  );
  const startedAt = performance.now();
  t.is((await client.manifest(repositoryAt(quick), made.digest, ASKING)).kind, 'ok');
  t.true(performance.now() - startedAt < 1000);
  for (const answer of await Promise.all(waiting)) t.is(answer.kind, 'unreachable');
  t.is(slow.asked.length, 2);
});

test('what is kept in memory has a bound', async (t) => {
  const blobs = new Map(
    Array.from({ length: 40 }, (_, i) => Buffer.alloc(10_000, i)).map((bytes) => [
      digestOfBytes(bytes),
      bytes,
    ]),
  );
  const server = await serve(
    t,
    ({ url = '' }, response) => void response.end(blobs.get(url.split('/').at(-1) ?? '')),
  );
  const client = clientOf(t, [server], { cacheBytes: 100_000 });
  const readAll = async (): Promise<void> => {
    for (const [digest] of blobs)
      t.is((await client.blob(repositoryAt(server), { digest, size: 10_000 }, ASKING)).kind, 'ok');
  };
  await readAll();
  const [[last = ''] = []] = [...blobs].toReversed();
  await client.blob(repositoryAt(server), { digest: last, size: 10_000 }, ASKING);
  t.is(server.asked.length, 40);
  await readAll();
  t.true(server.asked.length >= 70);
});

test('a mirror is asked first for what a digest vouches for, and the registry where it lies or fails', async (t) => {
  const made = makeManifest();
  const origin = await serveContent(t, made);
  const answers: Readonly<Record<string, Parameters<typeof serve>[1]>> = {
    lies: (_, response) => void response.end(makeManifest({ annotations: { evil: 'yes' } }).bytes),
    fails: (_, response) => void response.writeHead(500).end(),
    'has nothing': (_, response) => complain(response, 404, 'MANIFEST_UNKNOWN'),
    'is silent': () => {},
  };
  for (const [title, answer] of Object.entries(answers)) {
    const mirror = await serve(t, answer);
    const registries = [
      { host: origin.host, isPrivate: true, isPlainHttp: true, mirrors: [`${mirror.host}/hub`] },
    ];
    const client = clientOf(t, [mirror], { registries });
    const got = await client.manifest(repositoryAt(origin), made.digest, ASKING);
    t.like(got, { kind: 'ok', value: { digest: made.digest } }, title);
    t.is(mirror.asked[0], `GET /v2/hub/team/app/manifests/${made.digest}`, title);
    // What no digest vouches for is not asked of it.
    const before = mirror.asked.length;
    await client.resolve({ ...repositoryAt(origin), tag: 'v1' }, ASKING);
    t.is(mirror.asked.length, before, title);
  }
});

test('a mirror that is trusted stands in for a registry that cannot be asked, and is sent no credentials of it', async (t) => {
  const made = makeManifest();
  const mirror = await serveContent(t, made);
  const registries = [{ host: 'registry.invalid', mirrors: [mirror.host], trustsMirrors: true }];
  const client = clientOf(t, [mirror], { registries });
  const asking = { keychain: loginTo('registry.invalid') };
  const place = { registry: 'registry.invalid', repository: 'team/app' };
  t.like(await client.resolve({ ...place, tag: 'v1' }, asking), {
    kind: 'ok',
    value: { digest: made.digest },
  });
  t.like(await client.manifest(place, made.digest, asking), { kind: 'ok' });
  t.true(mirror.authorizations.every((one) => one === undefined));
});

test('https is by certificates that the platform says, and no others', async (t) => {
  const now = new Date();
  const authority = createAuthority('registries', now);
  const { certificate: cert, key } = issue(
    authority,
    { commonName: 'localhost', usages: ['server'], hosts: ['localhost'] },
    now,
  );
  const made = makeManifest();
  const server = await serve(t, (_, response) => void response.end(made.bytes), { cert, key });
  const trusting = clientOf(t, [], {
    registries: [{ host: server.host, isPrivate: true, ca: authority.pair.certificate }],
  });
  t.is((await trusting.manifest(repositoryAt(server), made.digest, ASKING)).kind, 'ok');
  const doubting = clientOf(t, [], { registries: [{ host: server.host, isPrivate: true }] });
  t.is((await doubting.manifest(repositoryAt(server), made.digest, ASKING)).kind, 'unreachable');
});
