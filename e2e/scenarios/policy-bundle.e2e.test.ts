// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { parse } from 'yaml';
import { createAuthority, issue } from '#hack/cluster/certificates';
import { startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { nexusctl } from '../nexusctl.ts';
import { PlayedReplica } from '../policy-player.ts';
import { tenantManifest, User } from '../user.ts';

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: {
    readonly version: string;
    readonly rollout?: object;
    readonly source: { readonly bundle: { readonly url: string; readonly digest: string } };
  };
}

interface Place {
  readonly admin: User;
  readonly folder: string;
  readonly origin: string;
  /** What is served, by path; a text is where it leads on to. */
  readonly files: Map<string, Buffer | string>;
}

const test = anyTest.serial as TestFn<Place>;
const NAMESPACE = 'bundled-main';
const ENDS: (() => Promise<unknown>)[] = [];

test.before(async (t) => {
  const folder = await mkdtemp(join(tmpdir(), `nexusos-bundle-${process.pid}-`));
  ENDS.push(() => rm(folder, { recursive: true, force: true }));
  const now = new Date();
  const authority = createAuthority('corp', now);
  const { certificate: cert, key } = issue(
    authority,
    { commonName: 'localhost', usages: ['server'], hosts: ['localhost'] },
    now,
  );
  const files = new Map<string, Buffer | string>();
  const server = createServer({ cert, key }, ({ url = '' }, answer) => {
    const file = files.get(url);
    if (file === undefined) answer.writeHead(404).end();
    else if (typeof file === 'string') answer.writeHead(302, { location: file }).end();
    else answer.end(file);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ENDS.unshift(async () => server.close().closeAllConnections());
  const host = `localhost:${(server.address() as AddressInfo).port}`;
  const cluster = await startCluster();
  ENDS.unshift(() => cluster.stop());
  const ca = authority.pair.certificate;
  await installChart(cluster, {
    values: { platform: { policySourceHosts: [host], policySourceCa: ca } },
  });
  const operator = await startOperator(cluster);
  ENDS.unshift(() => operator.stop());
  const replica = new PlayedReplica(cluster, 'played');
  await replica.start();
  ENDS.unshift(() => replica.stop());
  const admin = new User(cluster);
  await admin.applies(tenantManifest('bundled'));
  await admin.awaitsReady('tenant/bundled');
  t.context = { admin, folder, origin: `https://${host}`, files };
});
test.after.always(async () => {
  for (const end of ENDS) await end();
});

/** Makes a pack of that version, as a bundle that is served at `path`; the manifest that names it. */
async function builds({ folder, files, origin }: Place, version: string, path: string): Promise<Manifest> {
  const runs = async (...args: readonly string[]): Promise<void> => {
    const ran = await nexusctl(folder, args);
    if (ran.code !== 0) throw new Error(`nexusctl ${args.join(' ')}: ${ran.stderr}`);
  };
  const name = `tags-${version}`;
  const to = ['--out', `${name}.tar.gz`, '--manifest', `${name}.yaml`, '--url', `${origin}${path}`];
  await runs('pack', 'build', 'tags', ...to);
  files.set(path, await readFile(join(folder, `${name}.tar.gz`)));
  const { metadata, spec, ...rest } = parse(await readFile(join(folder, `${name}.yaml`), 'utf8')) as Manifest;
  return {
    ...rest,
    metadata: { ...metadata, namespace: NAMESPACE },
    spec: { ...spec, version, rollout: { shadowSeconds: 0 } },
  };
}

/** The same with another source. */
function from(manifest: Manifest, bundle: Partial<Manifest['spec']['source']['bundle']>): Manifest {
  const { spec } = manifest;
  return { ...manifest, spec: { ...spec, source: { bundle: { ...spec.source.bundle, ...bundle } } } };
}

async function says({ admin }: Place, reason: string): Promise<string> {
  return eventually(`Verified says ${reason}`, async () => {
    const found = await admin.condition('Verified', '-n', NAMESPACE, 'policypack/tags');
    if (found?.reason !== reason) throw new Error(JSON.stringify(found));
    return found.message;
  });
}

async function active({ admin }: Place): Promise<string | undefined> {
  await admin.awaitsReady('-n', NAMESPACE, 'policypack/tags');
  const pack = await admin.sees<{ readonly status?: { readonly activeRevision?: string } }>(
    '-n',
    NAMESPACE,
    'policypack/tags',
  );
  return pack?.status?.activeRevision;
}

test('a bundle that was built is taken from a host with an authority of its own, by its digest', async (t) => {
  t.timeout(5 * 60_000);
  const place = t.context;
  const made = await nexusctl(place.folder, ['pack', 'init', 'tags']);
  t.is(made.code, 0, made.stderr);
  await place.admin.applies(await builds(place, '1.0.0', '/tags-1.0.0.tar.gz'));
  t.regex((await active(place)) ?? '', /^tags-[0-9a-f]{12}$/);
});

test('what is not what its digest says, is not there, or leads astray, changes nothing for what decides', async (t) => {
  t.timeout(5 * 60_000);
  const place = t.context;
  const before = await active(place);
  const next = await builds(place, '1.1.0', '/tags-1.1.0.tar.gz');
  const right = place.files.get('/tags-1.1.0.tar.gz') ?? '';
  place.files.set('/tags-1.1.0.tar.gz', Buffer.from('another file'));
  await place.admin.applies(next);
  const found = createHash('sha256').update('another file').digest('hex');
  t.regex(await says(place, 'DigestMismatch'), new RegExp(`the file has sha256:${found}`));
  await place.admin.applies(from(next, { url: `${place.origin}/nothing` }));
  t.regex(await says(place, 'SourceUnavailable'), /answered 404/);
  place.files.set('/astray', 'https://169.254.169.254/latest/meta-data');
  await place.admin.applies(from(next, { url: `${place.origin}/astray` }));
  t.regex(await says(place, 'SourceRefused'), /169\.254\.169\.254 has an address that is not public/);
  const other = place.origin.replace('localhost', '127.0.0.1');
  await place.admin.applies(from(next, { url: `${other}/tags-1.1.0.tar.gz` }));
  t.regex(await says(place, 'SourceRefused'), /127\.0\.0\.1:\d+ has an address that is not public/);
  const pack = await place.admin.sees<{ readonly status?: object }>('-n', NAMESPACE, 'policypack/tags');
  t.like(pack?.status, { activeRevision: before });
  // Put right at another address: nobody has to wait until the one that failed is asked again.
  place.files.set('/right.tar.gz', right);
  await place.admin.applies(from(next, { url: `${place.origin}/right.tar.gz` }));
  await says(place, 'Verified');
  t.not(await active(place), before);
});
