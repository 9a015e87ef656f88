// SPDX-License-Identifier: Apache-2.0
import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type RunningRegistry, startRegistry } from '#hack/tools/registry-process';
import { ANONYMOUS } from '../core/oci/credentials.ts';
import { digestOfBytes } from '../core/oci/digest.ts';
import type { ImageVerdict } from '../core/supply-chain/verdict.ts';
import { type Asking, type Registry, RegistryClient } from '../oci/client.ts';
import { ArtifactPusher } from '../oci/push.ts';
import { registryEvidence } from './registry-evidence.ts';
import { SignedWorld } from './testing/signed-world.ts';
import { verifyImage } from './verify-image.ts';

let world: SignedWorld;
let registry: RunningRegistry;

test.before(async () => {
  [world, registry] = await Promise.all([SignedWorld.start(), startRegistry()]);
});

test.after.always(async () => {
  await Promise.all([world?.stop(), registry?.stop()]);
});

/** An image in the registry that many run, which has no list of referrers: cosign writes a tag instead. */
async function pushed(t: ExecutionContext, name: string): Promise<string> {
  const registries = [{ host: registry.host, isPrivate: true, isPlainHttp: true }];
  const pusher = new ArtifactPusher({ registries });
  t.teardown(() => pusher.close());
  const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', bytes: Buffer.from(name) }];
  const artifact = { artifactType: 'application/vnd.example.image', layers };
  const answer = await pusher.push({ registry: registry.host, repository: name }, artifact, {
    keychain: ANONYMOUS,
  });
  if (answer.kind !== 'ok') throw new Error(JSON.stringify(answer));
  return answer.value.digest;
}

function verify(
  t: ExecutionContext,
  place: { host: string; name: string; image: string },
): Promise<ImageVerdict> {
  const client = new RegistryClient({
    timeoutMs: 3000,
    registries: [{ host: place.host, isPrivate: true, isPlainHttp: true }],
  });
  t.teardown(() => client.close());
  const repository = { registry: place.host, repository: place.name };
  const source = registryEvidence({ registry: client, repository, keychain: ANONYMOUS });
  return verifyImage(place.image, { policy: world.policy({}), source, now: new Date() });
}

for (const form of ['bundle', 'classic'] as const) {
  test(`what cosign pushed to a real registry verifies from there, and another image there does not: ${form}`, async (t) => {
    const name = `team/${form}`;
    const image = await pushed(t, name);
    const older = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'];
    const none = ['--signing-config', `${world.cosign.folder}/none.json`];
    const how = form === 'classic' ? older : none;
    const { host } = registry;
    const before = await verify(t, { host, name, image });
    t.is(before.reason, 'NoSignature', JSON.stringify(before));
    const key = ['--key', `${world.cosign.folder}/builder.key`];
    await world.cosign.run('sign', '--yes', ...key, ...how, `${host}/${name}@${image}`);
    const verdict = await verify(t, { host, name, image });
    t.is(verdict.outcome, 'Verified', JSON.stringify(verdict));
  });
}

test('an image that the registry does not have is not known, and not unsigned', async (t) => {
  const image = `sha256:${'0'.repeat(64)}`;
  t.like(await verify(t, { host: registry.host, name: 'team/none', image }), {
    outcome: 'Unknown',
    reason: 'ImageNotFound',
  });
});

test('a registry that does not answer makes nothing unsigned', async (t) => {
  const image = `sha256:${'0'.repeat(64)}`;
  const verdict = await verify(t, { host: '127.0.0.1:9', name: 'team/none', image });
  t.like(verdict, { outcome: 'Unknown', reason: 'RegistryUnreachable' });
});

/** Between the client and the registry; answers what is asked for by a path that `hits` in its own way. */
async function between(t: ExecutionContext, { hits, status, type, body }: Trouble): Promise<string> {
  const server = createServer((request, response) => {
    if (hits.test(request.url ?? '')) {
      response.writeHead(status, { 'retry-after': '7', 'content-type': type ?? 'text/plain' }).end(body);
      return;
    }
    const [hostname = '', port = ''] = registry.host.split(':');
    const onward = forward({
      hostname,
      port,
      path: request.url,
      method: request.method,
      headers: request.headers,
    });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What is asked for by such a path is answered so. */
interface Trouble {
  readonly hits: RegExp;
  readonly status: number;
  readonly type?: string;
  readonly body?: string;
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const PAGE = { status: 200, type: 'text/html', body: '<html>Please sign in</html>' } as const;

const troubles: Readonly<Record<string, Trouble & { readonly want: string }>> = {
  'too many requests for the older form': { hits: /\.sig$/, status: 429, want: 'RegistryThrottled' },
  'in trouble at the older form': { hits: /\.sig$/, status: 503, want: 'RegistryUnreachable' },
  'no access to the newer form': {
    hits: /manifests\/sha256-[0-9a-f]{64}$/,
    status: 403,
    want: 'RegistryRefused',
  },
  'a page of a proxy in place of the image': { hits: /manifests/, ...PAGE, want: 'RegistryBroken' },
  'a page of a proxy in place of the older form': { hits: /\.sig$/, ...PAGE, want: 'RegistryBroken' },
  'a page of a proxy in place of the newer form': {
    hits: /(?:referrers\/.*|manifests\/sha256-[0-9a-f]{64})$/,
    ...PAGE,
    want: 'RegistryBroken',
  },
  'a manifest that is none in the older form': {
    hits: /\.sig$/,
    status: 200,
    type: MANIFEST,
    body: '{"schemaVersion":2,"layers":"many"}',
    want: 'RegistryBroken',
  },
  'a 404 of somebody else in place of the older form': {
    hits: /\.sig$/,
    status: 404,
    type: 'text/html',
    body: '<html>Not found</html>',
    want: 'RegistryUnreachable',
  },
  'too many requests for all': { hits: /manifests/, status: 429, want: 'RegistryThrottled' },
};

for (const [title, { want, ...trouble }] of Object.entries(troubles)) {
  test(`a registry in trouble makes nothing unsigned: ${title}`, async (t) => {
    const name = `team/trouble-${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`;
    const image = await pushed(t, name);
    const host = await between(t, trouble);
    const verdict = await verify(t, { host, name, image });
    t.like(verdict, { outcome: 'Unknown', reason: want }, JSON.stringify(verdict));
  });
}

test('what is asked for an image is asked for whose it is', async (t) => {
  const asked: Asking['whose'][] = [];
  const note = (_: unknown, __: unknown, { whose }: Asking) => {
    asked.push(whose);
    return Promise.resolve({ kind: 'absent', message: 'nothing' } as const);
  };
  const resolve: Registry['resolve'] = (reference, asking) => note(reference, undefined, asking);
  const registry: Registry = { resolve, tagged: note, manifest: note, blob: note, referrers: note };
  const repository = { registry: 'r.example', repository: 'a/b' };
  const source = registryEvidence({ registry, repository, keychain: ANONYMOUS, whose: 'acme' });
  await source.gather(digestOfBytes(Buffer.from('x')));
  t.true(asked.length > 0);
  t.true(asked.every((whose) => whose === 'acme'));
});

test('who got no room in time asks for none for the rest', async (t) => {
  const size = 3 << 20;
  const layers = Array.from({ length: 4 }, (_, number) => ({
    mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
    digest: digestOfBytes(Buffer.from(`${number}`)),
    size,
    annotations: {},
  }));
  const nothing = { kind: 'absent', message: 'nothing' } as const;
  const subject = { kind: 'manifest', digest: layers[0]!.digest, bytes: Buffer.from('{}'), layers } as const;
  const manifest = () => Promise.resolve({ kind: 'ok', value: subject } as never);
  const absent = () => Promise.resolve(nothing);
  const registry: Registry = {
    resolve: absent,
    tagged: (_, tag) => (tag.endsWith('.sig') ? manifest() : absent()),
    manifest,
    blob: absent,
    referrers: () =>
      Promise.resolve({ kind: 'ok', value: { isComplete: true, descriptors: [], via: 'api' } }),
  };
  const asked: number[] = [];
  const late = { kind: 'unknown', reason: 'EvidenceIncomplete', message: 'there was no time' } as const;
  const room = {
    take: (bytes: number) => {
      asked.push(bytes);
      return Promise.resolve(bytes === size ? late : undefined);
    },
  };
  const repository = { registry: 'r.example', repository: 'a/b' };
  const source = registryEvidence({ registry, repository, keychain: ANONYMOUS, room });
  const gathered = await source.gather(digestOfBytes(Buffer.from('x')));
  t.deepEqual(asked, [2, size], 'the image itself, and the first of four');
  t.like(gathered, { evidence: [], incomplete: { reason: 'EvidenceIncomplete' } });
});
