// SPDX-License-Identifier: Apache-2.0
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createAuthority, issue } from '#hack/cluster/certificates';
import { ensureTools } from '#hack/tools/build';
import { type RegistryOptions, type RunningRegistry, startRegistry } from '#hack/tools/registry-process';
import { runProgram } from '#hack/tools/run-program';
import { temporaryFolder } from '#hack/tools/testing/temporary-folder';
import { ANONYMOUS, keychainOf, type Keychain, readDockerConfig } from '../core/oci/credentials.ts';
import { digestOfBytes } from '../core/oci/digest.ts';
import { RegistryClient } from './client.ts';
import { ArtifactPusher } from './push.ts';
import type { RegistrySettings } from './settings.ts';
import { say, serve } from './testing/serve.ts';

// What is said here is said by the registry that many run, and by a client of another maker.

const ASKING = { keychain: ANONYMOUS };
const ARTIFACT = 'application/vnd.example.thing.v1';
const LAYER = 'application/vnd.example.part.v1';
/** `secret`, by bcrypt. */
const HTPASSWD = 'alice:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW';

async function started(t: ExecutionContext, options?: RegistryOptions): Promise<RunningRegistry> {
  const registry = await startRegistry(options);
  t.teardown(() => registry.stop());
  return registry;
}

function clientOf(t: ExecutionContext, { host }: RunningRegistry, more: Partial<RegistrySettings> = {}) {
  const registries = [{ host, isPrivate: true, isPlainHttp: true, ...more }];
  const client = new RegistryClient({ registries });
  const pusher = new ArtifactPusher({ registries });
  t.teardown(async () => void (await Promise.all([client.close(), pusher.close()])));
  return { client, pusher };
}

function loginTo(host: string, password: string): Keychain {
  const read = readDockerConfig(JSON.stringify({ auths: { [host]: { username: 'alice', password } } }));
  if (read.kind !== 'ok') throw new Error(JSON.stringify(read));
  return keychainOf([read.config]);
}

const CONTENT = Buffer.from('the content of a layer');
const THING = {
  artifactType: ARTIFACT,
  layers: [{ mediaType: LAYER, bytes: CONTENT }],
  annotations: { a: 'b' },
};

async function crane(...args: readonly string[]): Promise<string> {
  const { crane: program } = await ensureTools(['crane']);
  const { stdout, stderr, code } = await runProgram(program, { args: [...args, '--insecure'] });
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

test('what is pushed is what is read, and what another client reads', async (t) => {
  const registry = await started(t);
  const { client, pusher } = clientOf(t, registry);
  const repository = { registry: registry.host, repository: 'team/thing' };
  const pushed = await pusher.push({ ...repository, tag: 'v1' }, THING, ASKING);
  if (pushed.kind !== 'ok') throw new Error(JSON.stringify(pushed));
  const { digest } = pushed.value;
  t.is(await crane('digest', `${registry.host}/team/thing:v1`), digest);
  // Once more, it is the same, and nothing is sent twice.
  t.deepEqual(await pusher.push({ ...repository, tag: 'v1' }, THING, ASKING), pushed);

  t.like(await client.resolve({ ...repository, tag: 'v1' }, ASKING), { kind: 'ok', value: { digest } });
  const manifest = await client.manifest(repository, digest, ASKING);
  if (manifest.kind !== 'ok' || manifest.value.kind !== 'manifest') throw new Error(JSON.stringify(manifest));
  t.like(manifest.value, { artifactType: ARTIFACT, annotations: { a: 'b' } });
  t.is(
    await crane('manifest', `${registry.host}/team/thing:v1`),
    Buffer.from(manifest.value.bytes).toString(),
  );
  const [layer] = manifest.value.layers;
  if (layer === undefined) throw new Error('no layer');
  const blob = await client.blob(repository, layer, ASKING);
  t.deepEqual(blob.kind === 'ok' && Buffer.from(blob.value), CONTENT);
  t.is(await crane('blob', `${registry.host}/team/thing@${layer.digest}`), CONTENT.toString());
});

test('what another client has pushed is read', async (t) => {
  const registry = await started(t);
  const { client } = clientOf(t, registry);
  const folder = await temporaryFolder(t, 'oci');
  const file = join(folder, 'layer.tar');
  await writeFile(file, Buffer.alloc(10_240));
  const image = `${registry.host}/team/image:v1`;
  await crane('append', '--new_layer', file, '--new_tag', image);
  const digest = await crane('digest', image);
  const repository = { registry: registry.host, repository: 'team/image' };
  t.like(await client.resolve({ ...repository, tag: 'v1' }, ASKING), { kind: 'ok', value: { digest } });
  const manifest = await client.manifest(repository, digest, ASKING);
  t.like(manifest, { kind: 'ok', value: { kind: 'manifest', digest } });
});

test('what is not there, the registry says so: a tag, a digest, a repository, a blob', async (t) => {
  const registry = await started(t);
  const { client, pusher } = clientOf(t, registry);
  const repository = { registry: registry.host, repository: 'team/thing' };
  await pusher.push({ ...repository, tag: 'v1' }, THING, ASKING);
  const other = digestOfBytes(Buffer.from('other'));
  for (const [title, answer] of Object.entries({
    tag: await client.resolve({ ...repository, tag: 'v2' }, ASKING),
    digest: await client.manifest(repository, other, ASKING),
    repository: await client.resolve({ ...repository, repository: 'none', tag: 'v1' }, ASKING),
    blob: await client.blob(repository, { digest: other, size: 5 }, ASKING),
  }))
    t.is(answer.kind, 'absent', title);
});

test('referrers by the tag that stands in where a registry does not know them', async (t) => {
  const registry = await started(t);
  const { client, pusher } = clientOf(t, registry);
  const repository = { registry: registry.host, repository: 'team/thing' };
  const thing = await pusher.push({ ...repository, tag: 'v1' }, THING, ASKING);
  if (thing.kind !== 'ok') throw new Error(JSON.stringify(thing));
  const { digest } = thing.value;
  t.deepEqual(await client.referrers(repository, digest, ASKING), {
    kind: 'ok',
    value: { descriptors: [], via: 'tag', isComplete: true },
  });
  const tag = digest.replace(':', '-');
  const referring = {
    ...THING,
    subject: { mediaType: thing.value.mediaType, digest, size: thing.value.size },
  };
  const pushed = await pusher.push({ ...repository, tag: 'signature' }, referring, ASKING);
  if (pushed.kind !== 'ok') throw new Error(JSON.stringify(pushed));
  // As clients that sign keep the list.
  const descriptor = {
    mediaType: pushed.value.mediaType,
    digest: pushed.value.digest,
    size: pushed.value.size,
  };
  await pusher.pushIndex({ ...repository, tag }, [{ ...descriptor, artifactType: ARTIFACT }], ASKING);
  t.like(await client.referrers(repository, digest, { ...ASKING, artifactTypes: [ARTIFACT] }), {
    kind: 'ok',
    value: { via: 'tag', isComplete: true, descriptors: [descriptor] },
  });
  t.like(await client.referrers(repository, digest, { ...ASKING, artifactTypes: ['application/other'] }), {
    value: { descriptors: { length: 0 } },
  });
});

test('a registry that wants a password, by https: the right one, a wrong one, none', async (t) => {
  const now = new Date();
  const authority = createAuthority('registries', now);
  const issued = issue(authority, { commonName: 'localhost', usages: ['server'], hosts: ['localhost'] }, now);
  const registry = await started(t, { htpasswd: HTPASSWD, tls: issued });
  const { client, pusher } = clientOf(t, registry, { isPlainHttp: false, ca: authority.pair.certificate });
  const repository = { registry: registry.host, repository: 'team/thing' };
  const right = { keychain: loginTo(registry.host, 'secret') };
  const pushed = await pusher.push({ ...repository, tag: 'v1' }, THING, right);
  if (pushed.kind !== 'ok') throw new Error(JSON.stringify(pushed));
  const ask = (keychain: Keychain) => client.manifest(repository, pushed.value.digest, { keychain });
  t.is((await ask(right.keychain)).kind, 'ok');
  for (const keychain of [
    ANONYMOUS,
    loginTo(registry.host, 'wrong'),
    loginTo(`${registry.host}/other`, 'secret'),
  ])
    t.like(await ask(keychain), { kind: 'refused', by: 'Registry' });
});

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a registry that wants tokens: what they permit is what may be done', async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicKey.export({ format: 'jwk' });
  const kid = createHash('sha256').update(JSON.stringify(jwk)).digest('base64url');
  const scopes: string[] = [];
  const giver = await serve(t, ({ url = '', headers }, response) => {
    const { searchParams } = new URL(url, 'http://localhost');
    const scope = searchParams.get('scope') ?? '';
    scopes.push(scope);
    const [type, name, actions = ''] = scope.split(':');
    const isAlice = headers.authorization === `Basic ${Buffer.from('alice:secret').toString('base64')}`;
    const now = Math.floor(new Date().getTime() / 1000);
    const claims = {
      iss: 'giver',
      sub: 'alice',
      aud: 'things',
      iat: now - 5,
      nbf: now - 5,
      exp: now + 300,
      jti: randomUUID(),
      access: isAlice ? [{ type, name, actions: actions.split(',') }] : [],
    };
    const head = `${base64url({ alg: 'ES256', typ: 'JWT', kid })}.${base64url(claims)}`;
    const signature = sign('sha256', Buffer.from(head), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    say(response, 200, { token: `${head}.${signature.toString('base64url')}`, expires_in: 300 });
  });
  const registry = await started(t, {
    tokens: {
      realm: `http://${giver.host}/token`,
      service: 'things',
      issuer: 'giver',
      jwks: JSON.stringify({ keys: [{ ...jwk, kid, use: 'sig', alg: 'ES256' }] }),
    },
  });
  const registries = [registry, giver].map(({ host }) => ({ host, isPrivate: true, isPlainHttp: true }));
  const [client, pusher] = [new RegistryClient({ registries }), new ArtifactPusher({ registries })];
  t.teardown(async () => void (await Promise.all([client.close(), pusher.close()])));
  const repository = { registry: registry.host, repository: 'team/thing' };
  const right = { keychain: loginTo(registry.host, 'secret') };
  const pushed = await pusher.push({ ...repository, tag: 'v1' }, THING, right);
  if (pushed.kind !== 'ok') throw new Error(JSON.stringify(pushed));
  t.deepEqual([...new Set(scopes)].toSorted(), [
    'repository:team/thing:pull',
    'repository:team/thing:pull,push',
  ]);
  scopes.length = 0;
  t.is((await client.manifest(repository, pushed.value.digest, right)).kind, 'ok');
  t.deepEqual(scopes, ['repository:team/thing:pull']);
  for (const keychain of [ANONYMOUS, loginTo(registry.host, 'wrong')])
    t.like(await client.manifest(repository, pushed.value.digest, { keychain }), {
      kind: 'refused',
      by: 'Registry',
    });
});

test('a registry that goes away and comes back', async (t) => {
  const folder = await temporaryFolder(t, 'oci-store');
  const first = await started(t, { folder });
  const { client, pusher } = clientOf(t, first);
  const repository = { registry: first.host, repository: 'team/thing' };
  const pushed = await pusher.push({ ...repository, tag: 'v1' }, THING, ASKING);
  if (pushed.kind !== 'ok') throw new Error(JSON.stringify(pushed));
  await first.stop();
  t.is((await client.resolve({ ...repository, tag: 'v1' }, ASKING)).kind, 'unreachable');
  await started(t, { folder, port: first.port });
  t.like(await client.resolve({ ...repository, tag: 'v1' }, ASKING), {
    kind: 'ok',
    value: { digest: pushed.value.digest },
  });
});
