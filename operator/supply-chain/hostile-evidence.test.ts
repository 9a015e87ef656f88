// SPDX-License-Identifier: Apache-2.0
import { createHash, generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { BUNDLE_TYPE } from '#hack/sigstore/media-types';
import { processorMs } from '#hack/tools/processor-time';
import type { Refusal, Unknown } from '../core/supply-chain/judgement.ts';
import { SIMPLE_SIGNING } from '../core/supply-chain/statement.ts';
import { readClaims } from './claims.ts';
import { Effort } from './effort.ts';
import type { Evidence } from './evidence.ts';
import { judgeImage } from './judge-image.ts';
import { trustedKey } from './keys.ts';
import type { ReadyPolicy } from './policy.ts';
import { readBundle } from './signed-item.ts';

const IMAGE = `sha256:${createHash('sha256').update('{}').digest('hex')}`;

const policy: ReadyPolicy = {
  digest: 'sha256:policy',
  authorities: [{ name: 'nobody', signer: { kind: 'keys', keys: [] }, log: 'Ignored', time: 'Observer' }],
  requirement: { signatures: { from: ['nobody'], threshold: 1 } },
  revoked: new Set(),
  waivers: [],
  platforms: 'Index',
};

function bundle(text: string | Uint8Array): Evidence {
  return { form: 'bundle', origin: 'sha256:x', bytes: Buffer.from(text), annotations: {} };
}

/** What whoever may push attaches to an image, to be accepted or to make reading it take long. */
const attached: Readonly<
  Record<string, { readonly evidence: () => readonly Evidence[]; readonly want: Refusal | Unknown }>
> = {
  'with a document that is none': {
    evidence: () => [bundle('{"mediaType":')],
    want: 'Malformed',
  },
  'with a document that is too large': {
    evidence: () => [bundle(Buffer.alloc(33 << 20, 0x20))],
    want: 'TooLarge',
  },
  'with a document that is nested too deep': {
    evidence: () => [bundle(`{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`)],
    want: 'TooLarge',
  },
  'with an envelope of a thousand signatures': {
    evidence: () => [
      bundle(
        JSON.stringify({
          dsseEnvelope: { payload: '', signatures: Array.from({ length: 1000 }, () => ({ sig: '' })) },
        }),
      ),
    ],
    want: 'TooLarge',
  },
  'with an annotation without a signature': {
    evidence: () => [
      { form: 'signature', origin: 'x', bytes: Buffer.from('{}'), annotations: { type: SIMPLE_SIGNING } },
    ],
    want: 'Malformed',
  },
  'with ten thousand documents of somebody else': {
    evidence: () => Array.from({ length: 10_000 }, () => bundle('{}')),
    want: 'TooMuchAttached',
  },
  'with an attestation whose envelope is a list': {
    evidence: () => [{ form: 'attestation', origin: 'x', bytes: Buffer.from('[]'), annotations: {} }],
    want: 'Malformed',
  },
  'with bytes that are no text': {
    evidence: () => [bundle(Buffer.from([0xff, 0xfe, 0x00]))],
    want: 'Malformed',
  },
  'with a certificate that is none': {
    evidence: () => [
      {
        form: 'signature',
        origin: 'x',
        bytes: Buffer.from('{}'),
        annotations: {
          'dev.cosignproject.cosign/signature': 'AAAA',
          'dev.sigstore.cosign/certificate': 'AAAA',
        },
      },
    ],
    want: 'Malformed',
  },
  'with an annotation of megabytes': {
    evidence: () => [
      {
        form: 'signature',
        origin: 'x',
        bytes: Buffer.from('{}'),
        annotations: { 'dev.cosignproject.cosign/signature': 'A'.repeat(2 << 20) },
      },
    ],
    want: 'TooLarge',
  },
};

test('what several signatures are over is read once, and signatures are held against keys no more often than may be', (t) => {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'https://sigstore.dev/cosign/sign/v1',
    subject: [{ digest: { sha256: IMAGE.replace('sha256:', '') } }],
  };
  const signatures = Array.from({ length: 16 }, () => ({ sig: Buffer.alloc(64).toString('base64') }));
  const document = bundle(
    JSON.stringify({
      mediaType: BUNDLE_TYPE,
      verificationMaterial: { publicKey: { hint: '' } },
      dsseEnvelope: {
        payload: Buffer.from(JSON.stringify(statement)).toString('base64'),
        payloadType: 'application/vnd.in-toto+json',
        signatures,
      },
    }),
  );
  const read = readBundle(document.bytes, Buffer.from('{}'));
  if (read.kind !== 'verified') throw new Error(read.message);
  t.is(read.value.length, 16);
  t.is(new Set(read.value.map((one) => one.payload)).size, 1);
  t.is(new Set(read.value.map((one) => one.signedBytes)).size, 1);
  const pairs = Array.from({ length: 8 }, () => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
  const keys = pairs.map(({ publicKey }) => trustedKey(publicKey));
  const authorities = Array.from(
    { length: 4 },
    (_, index) => ({ ...policy.authorities[0]!, name: `a${index}`, signer: { kind: 'keys', keys } }) as const,
  );
  const from = authorities.map((one) => one.name);
  const verdict = judgeImage(
    IMAGE,
    { subject: Buffer.from('{}'), evidence: Array.from({ length: 128 }, () => document) },
    {
      policy: { ...policy, authorities, requirement: { signatures: { from, threshold: 1 } } },
      now: new Date(),
    },
  );
  t.like(verdict, { outcome: 'Unknown', reason: 'TooMuchAttached' });
});

test('effort is taken until none is left, and then no more', (t) => {
  const effort = new Effort(10 * (1 << 16));
  t.is(effort.take({ bytes: 0, forms: 9 }), undefined);
  t.like(effort.take({ bytes: 1 << 20, forms: 1 }), { kind: 'unknown', reason: 'TooMuchAttached' });
  t.like(effort.take({ bytes: 0, forms: 1 }), { kind: 'unknown' });
});

test('what is stated of an image is kept up to a number of values, whatever the number of documents', (t) => {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'https://cyclonedx.org/bom',
    subject: [{ digest: { sha256: IMAGE.replace('sha256:', '') } }],
    predicate: { components: Array.from({ length: 200_000 }, () => ({})) },
  };
  const document: Evidence = {
    form: 'attestation',
    origin: 'x',
    bytes: Buffer.from(
      JSON.stringify({
        payload: Buffer.from(JSON.stringify(statement)).toString('base64'),
        payloadType: 'application/vnd.in-toto+json',
        signatures: [{ sig: 'AAAA' }],
      }),
    ),
    annotations: {},
  };
  const claimsOf = (count: number) => {
    const evidence = Array.from({ length: count }, () => document);
    const against = { now: new Date(), revoked: new Set<string>(), effort: new Effort() };
    return readClaims(IMAGE, { subject: Buffer.from('{}'), evidence }, against);
  };
  t.deepEqual(claimsOf(2).unreadable, []);
  const { claims, unreadable } = claimsOf(8);
  t.is(claims.length, 2, 'as many as there is room for');
  t.true(unreadable.every(({ reason }) => reason === 'TooLarge'));
});

for (const [title, { evidence, want }] of Object.entries(attached)) {
  test(`read no further than it may be, and never accepted: ${title}`, (t) => {
    const gathered = { subject: Buffer.from('{}'), evidence: evidence() };
    let verdict: ReturnType<typeof judgeImage> | undefined;
    const tookMs = processorMs(() => (verdict = judgeImage(IMAGE, gathered, { policy, now: new Date() })));
    if (verdict === undefined) throw new Error('there is no verdict');
    t.is(verdict.reason, want, JSON.stringify(verdict, undefined, 2));
    t.not(verdict.outcome, 'Verified');
    t.true(verdict.message.length < 1000);
    t.true(tookMs < 2000, `${tookMs} ms`);
  });
}
