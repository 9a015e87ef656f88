// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createAuthority, issue } from '#hack/cluster/certificates';
import { VALIDATING_CONFIGURATIONS } from '#operator/core/resources';
import { ApiError } from '#operator/runtime/api-error';
import type { HeldWatch } from '#operator/runtime/cache';
import { putVolume } from '#hack/tools/testing/secret-volume';
import { canReach, secretIn } from './process.ts';

const NOW = new Date();

const ANSWERS: readonly (readonly [status: number, isReached: boolean])[] = [
  [200, true],
  [401, true],
  [403, true],
  [404, true],
  [429, true],
  [500, false],
  [503, false],
  [0, false],
];

for (const [status, isReached] of ANSWERS) {
  test(`an API server that says ${status} ${isReached ? 'is' : 'is not'} reached`, async (t) => {
    const error = new ApiError({ status, code: 'dependency_unavailable', reason: 'x', message: 'x' });
    const raw = () => (status === 200 ? Promise.resolve({}) : Promise.reject(error));
    t.is(await canReach({ raw }), isReached);
  });
}

test('what is no answer at all is none', async (t) => {
  t.false(await canReach({ raw: () => Promise.reject(new Error('cut')) }));
});

/** A webhook configuration as it was kept, that has the API server trust this. */
function keptWith(bundle: string): readonly HeldWatch[] {
  const caBundle = Buffer.from(bundle).toString('base64');
  const { apiVersion, kind } = VALIDATING_CONFIGURATIONS;
  const object = { apiVersion, kind, metadata: { name: 'w' }, webhooks: [{ clientConfig: { caBundle } }] };
  return [{ watch: 'w', kind, objects: [object] }];
}

test('a certificate is begun with when it is whole, and what was kept vouches for it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-certificate-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const [authority, other] = [createAuthority('one', NOW), createAuthority('other', NOW)];
  const { certificate, key } = issue(authority, { commonName: 'x', usages: ['server'], hosts: ['x'] }, NOW);
  const metadata = { namespace: 'n', name: 'tls' };
  const kept = keptWith(authority.pair.certificate);
  t.is(await secretIn(undefined, metadata, kept), 'there is no certificate to serve with');
  await writeFile(join(folder, 'tls.crt'), certificate);
  t.is(await secretIn(folder, metadata, kept), 'there is no certificate to serve with');
  await writeFile(
    join(folder, 'tls.key'),
    issue(authority, { commonName: 'x', usages: ['server'] }, NOW).key,
  );
  t.is(await secretIn(folder, metadata, kept), 'tls.key is not the key of tls.crt');
  await writeFile(join(folder, 'tls.key'), key);
  t.like(await secretIn(folder, metadata, kept), { kind: 'Secret', metadata });
  for (const not of [keptWith(other.pair.certificate), []])
    t.is(await secretIn(folder, metadata, not), 'the API server was not told to trust the certificate');
});

test('a certificate that the kubelet replaces while it is read is read as a whole', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-volume-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const authority = createAuthority('one', NOW);
  const pair = () => issue(authority, { commonName: 'x', usages: ['server'], hosts: ['x'] }, NOW);
  const [old, next] = [pair(), pair()];
  const metadata = { namespace: 'n', name: 'tls' };
  const kept = keptWith(authority.pair.certificate);
  const put = ({ certificate, key }: typeof old) =>
    putVolume(folder, { 'tls.crt': certificate, 'tls.key': key });
  const own = await put(old);
  t.like(await secretIn(folder, metadata, kept), { data: encoded(old) });

  // Who reads this one waits for who writes it: so the other two come in between.
  const path = join(own, 'tls.crt');
  await rm(path);
  await promisify(execFile)('mkfifo', [path]);
  const reading = secretIn(folder, metadata, kept);
  const writer = await open(path, 'w');
  await put(next);
  await writer.writeFile(old.certificate);
  await writer.close();
  t.like(await reading, { data: encoded(next) });
});

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function encoded({ certificate, key }: { readonly certificate: string; readonly key: string }) {
  return { 'tls.crt': base64(certificate), 'tls.key': base64(key) };
}
