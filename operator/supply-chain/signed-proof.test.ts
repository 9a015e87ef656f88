// SPDX-License-Identifier: Apache-2.0
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import test from 'ava';
import { Cosign } from '#hack/sigstore/cosign';
import { MAX_PROOF } from '#crds/v1alpha1/image-verdict';
import { fitted, type Proof, SUMMARY_PREDICATE } from '../core/images/proof.ts';
import { trustedKey } from './keys.ts';
import { openProof, signProof } from './signed-proof.ts';

const verifier = { id: 'https://nexusos.dev/operator', version: '1' };
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keys = [trustedKey(own.publicKey)];
const proof: Proof = {
  namespace: 'team',
  image: 'registry.example/app:1',
  digest: `sha256:${'a'.repeat(64)}`,
  verifiedAt: '2026-11-23T12:00:00.000Z',
  expiresAt: '2026-11-24T12:00:00.000Z',
  policies: [
    {
      kind: 'ClusterImagePolicy',
      name: 'signed',
      uid: 'u1',
      generation: 1,
      digest: `sha256:${'b'.repeat(64)}`,
      outcome: 'Verified',
      message: '',
    },
  ],
};
const signed = signProof(proof, { verifier, key: own.privateKey });

test('what the operator vouches for is believed by its public key alone', (t) => {
  t.deepEqual(openProof(signed, keys), { kind: 'verified', value: proof });
  const rotated = [trustedKey(other.publicKey), ...keys];
  t.is(openProof(signed, rotated).kind, 'verified');
  t.true(signed.includes(trustedKey(createPublicKey(own.privateKey)).fingerprint));
});

test('whoever has cosign and the public key checks it without a cluster', async (t) => {
  const cosign = await Cosign.create();
  t.teardown(() => cosign.remove());
  const manifest = Buffer.from('{"schemaVersion":2}');
  const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
  const text = signProof({ ...proof, digest }, { verifier, key: own.privateKey });
  const key = await cosign.write('verdict.pub', own.publicKey.export({ type: 'spki', format: 'pem' }));
  const stranger = await cosign.write(
    'stranger.pub',
    other.publicKey.export({ type: 'spki', format: 'pem' }),
  );
  const [file, manifestFile, another] = await Promise.all([
    cosign.write('proof.json', text),
    cosign.write('manifest.json', manifest),
    cosign.write('another.json', '{}'),
  ]);
  const how = ['--type', SUMMARY_PREDICATE, '--insecure-ignore-tlog=true', '--signature', file];
  const asked = (by: string, ...what: readonly string[]) =>
    cosign.try('verify-blob-attestation', ...how, '--key', by, ...what);
  const good = await asked(key, manifestFile);
  t.is(good.code, 0, good.stderr);
  const byDigest = ['--digest', digest.replace('sha256:', ''), '--digestAlg', 'sha256'];
  t.is((await asked(key, ...byDigest)).code, 0, 'without the manifest');
  t.not((await asked(stranger, manifestFile)).code, 0);
  const ofAnother = await asked(key, another);
  t.not(ofAnother.code, 0);
  t.regex(ofAnother.stderr, /digest/);
});

test('cosign says of an image that was refused what it says of one that passed: the page tells what else to ask', async (t) => {
  const cosign = await Cosign.create();
  t.teardown(() => cosign.remove());
  const page = await readFile(new URL('../../docs/spec/v1alpha1/imageverdict.md', import.meta.url), 'utf8');
  const [, result = '', wanted = ''] = /jq -e '\.predicate\.(\w+) == "(\w+)"'/u.exec(page) ?? [];
  const [, details = '', whole = '', each = ''] =
    /jq -e '\.predicate\["([^"]+)"\] \| \[\.(\w+), \.policies\[\]\.(\w+) \/\/ empty\]/u.exec(page) ?? [];
  const key = await cosign.write('verdict.pub', own.publicKey.export({ type: 'spki', format: 'pem' }));
  const [policy] = proof.policies;
  const validUntil = '2026-11-23T18:00:00.000Z';
  for (const outcome of ['Verified', 'Refused', 'Unknown'] as const) {
    const policies = [
      { ...policy!, validUntil },
      { ...policy!, outcome },
    ];
    const text = signProof({ ...proof, policies }, { verifier, key: own.privateKey });
    const path = await cosign.write('proof.json', text);
    const what = ['--digest', 'a'.repeat(64), '--digestAlg', 'sha256', '--insecure-ignore-tlog=true'];
    const args = ['--key', key, '--signature', path, '--type', SUMMARY_PREDICATE, ...what];
    const { code, stderr } = await cosign.try('verify-blob-attestation', ...args);
    t.is(code, 0, `${outcome}: ${stderr}`);
    const { payload } = JSON.parse(text) as { payload: string };
    const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString()) as {
      predicate: Record<string, unknown>;
    };
    t.is(predicate[result] === wanted, outcome === 'Verified', outcome);
    t.like(predicate[details], { [whole]: proof.expiresAt, policies: [{ [each]: validUntil }, { outcome }] });
  }
});

const envelope = JSON.parse(signed) as { payload: string; signatures: { sig: string }[] };
const forged = Buffer.from(envelope.payload, 'base64')
  .toString()
  .replaceAll('registry.example/app:1', 'evil/app:1');

const spoilt: Readonly<Record<string, { readonly text: string; readonly want: string }>> = {
  'by somebody else': { text: signProof(proof, { verifier, key: other.privateKey }), want: 'WrongKey' },
  'about something else': {
    text: JSON.stringify({ ...envelope, payload: Buffer.from(forged).toString('base64') }),
    want: 'WrongKey',
  },
  'of another type': { text: JSON.stringify({ ...envelope, payloadType: 'text/plain' }), want: 'Malformed' },
  'without a signature': { text: JSON.stringify({ ...envelope, signatures: [] }), want: 'WrongKey' },
  'behind many signatures of nobody': {
    text: JSON.stringify({
      ...envelope,
      signatures: [...Array.from({ length: 4 }, () => ({ sig: 'AAAA' })), ...envelope.signatures],
    }),
    want: 'WrongKey',
  },
  'no JSON': { text: '{', want: 'Malformed' },
  'too large': { text: JSON.stringify({ ...envelope, more: 'x'.repeat(100_000) }), want: 'TooLarge' },
};

for (const [title, { text, want }] of Object.entries(spoilt)) {
  test(`what nobody vouches for is not believed: ${title}`, (t) => {
    t.like(openProof(text, keys), { kind: 'refused', reason: want });
  });
}

test('without a key nothing is believed', (t) => {
  t.is(openProof(signed, []).kind, 'refused');
});

const long = (index: number, message: string): Proof['policies'][number] => ({
  ...proof.policies[0]!,
  name: `${index}`.padStart(253, 'n'),
  uid: `${index}`.padStart(36, 'u'),
  outcome: 'Refused',
  reason: 'CertificateNotForSigning',
  message,
  validUntil: proof.expiresAt,
});

for (const [title, message] of Object.entries({
  'plain words': 'x'.repeat(512),
  'words of three bytes each': '\u6F22'.repeat(512),
  'words that have to be escaped': '\u0001'.repeat(512),
})) {
  test(`what is signed can be read, however much there is to say: ${title}`, (t) => {
    const policies = Array.from({ length: 64 }, (_, index) => long(index, message));
    const most = fitted({ ...proof, image: `registry.example/${'a'.repeat(1000)}:1`, policies });
    const text = signProof(most, { verifier, key: own.privateKey });
    t.true(text.length <= MAX_PROOF, `${text.length}`);
    t.deepEqual(openProof(text, keys), { kind: 'verified', value: most });
    t.is(fitted(most), most, 'and what fits stays as it is');
  });
}

test('what could not be read is not signed', (t) => {
  const policies = Array.from({ length: 64 }, (_, index) => long(index, 'x'.repeat(512) + 'y'.repeat(512)));
  t.throws(() => signProof({ ...proof, policies }, { verifier, key: own.privateKey }), {
    message: /found a proof of \d+ bytes/,
  });
});
