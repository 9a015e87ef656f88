// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Refusal, Unknown } from '../core/supply-chain/judgement.ts';
import type { Requirement } from '../core/supply-chain/requirement.ts';
import type { ImageVerdict } from '../core/supply-chain/verdict.ts';
import type { Gathered } from './evidence.ts';
import type { ReadyPolicy } from './policy.ts';
import { ASKED, severalImages } from './testing/signed-images.ts';
import { SignedWorld } from './testing/signed-world.ts';
import { verifyImage } from './verify-image.ts';

const now = new Date();
const HOUR = 3_600_000;
const ago = (ms: number): string => new Date(now.getTime() - ms).toISOString();

let world: SignedWorld;
let images: Record<string, string>;

test.before(async () => {
  world = await SignedWorld.start();
  images = await severalImages(world, now);
});

test.after.always(() => world?.stop());

function verify(
  image: string,
  policy: Partial<ReadyPolicy>,
  change?: (gathered: Gathered) => Gathered,
): Promise<ImageVerdict> {
  return verifyImage(image, { policy: world.policy(policy), source: world.source(change), now });
}

const asks =
  (change: Partial<Requirement>): (() => Partial<ReadyPolicy>) =>
  () => ({ requirement: change });

/** Whether the statement in a bundle is a report in which nothing was found. */
function isClean(bytes: Uint8Array): boolean {
  const bundle = JSON.parse(Buffer.from(bytes).toString()) as { dsseEnvelope: { payload: string } };
  return Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString().includes('"Vulnerabilities":[]');
}

/** Several of something: reports, names of one signer, indexes. */
interface Several {
  readonly image: string;
  readonly policy: () => Partial<ReadyPolicy>;
  readonly change?: (gathered: Gathered) => Gathered;
  readonly want: Refusal | Unknown;
  readonly says?: RegExp;
}

const several: Readonly<Record<string, Several>> = {
  'an index that is signed, but not what is in an index within': {
    image: 'index of an index',
    policy: () => ({ platforms: 'Each' }),
    want: 'NoSignature',
  },
  'a long index that is signed, but not what is in it': {
    image: 'long index',
    policy: () => ({ platforms: 'Each' }),
    want: 'NoSignature',
  },
  'an index longer than is read': {
    image: 'index',
    policy: () => ({ platforms: 'Each' }),
    change: (gathered) => ({
      ...gathered,
      subject: Buffer.concat([gathered.subject, Buffer.alloc(4 << 20, 0x20)]),
    }),
    want: 'TooLarge',
  },
  'an index that lists something without a digest': {
    image: 'index',
    policy: () => ({ platforms: 'Each' }),
    change: (gathered) => ({ ...gathered, subject: Buffer.from('{"manifests":[{}]}') }),
    want: 'Malformed',
  },
  'indexes within indexes': {
    image: 'deep index',
    policy: () => ({ platforms: 'Each' }),
    want: 'NoSignature',
  },
  'clean by an older report, while the newer one cannot be fetched': {
    image: 'two reports',
    policy: asks({ vulnerabilities: ASKED.vulnerabilities }),
    change: (gathered) => ({
      ...gathered,
      evidence: gathered.evidence.filter((one) => isClean(one.bytes)),
      incomplete: { kind: 'unknown', reason: 'RegistryThrottled', message: '429' },
    }),
    want: 'RegistryThrottled',
    says: /newer report/,
  },
  'clean by one report, beside a document that is too large to be read': {
    image: 'two reports',
    policy: asks({ vulnerabilities: ASKED.vulnerabilities }),
    change: (gathered) => ({
      ...gathered,
      evidence: [
        ...gathered.evidence.filter((one) => isClean(one.bytes)),
        { form: 'bundle', origin: 'x', bytes: Buffer.alloc(33 << 20, 0x20), annotations: {} },
      ],
    }),
    want: 'TooMuchAttached',
    says: /newer report/,
  },
  'clean by an older report, while the newer one is of a form that is not read': {
    image: 'the last report unread',
    policy: asks({ vulnerabilities: ASKED.vulnerabilities }),
    want: 'Unsupported',
  },
  'signed by one key under two names': {
    image: 'whole',
    policy: () => ({
      authorities: [world.byKey('builder'), { ...world.byKey('builder'), name: 'again' }],
      requirement: { signatures: { from: ['builder', 'again'], threshold: 2 } },
    }),
    want: 'ThresholdNotMet',
    says: /1 of 2.*builder, again.*same/,
  },
  'signed by one identity under two names, with a key each time': {
    image: 'keyless',
    policy: () => ({
      authorities: [world.keyless(), world.keyless({ name: 'again' })],
      requirement: { signatures: { from: ['ci', 'again'], threshold: 2 } },
    }),
    want: 'ThresholdNotMet',
    says: /1 of 2.*ci, again.*same/,
  },
};

for (const [title, { image, policy, change, want, says }] of Object.entries(several)) {
  test(`of several, what is true of all of them counts: ${title}`, async (t) => {
    const verdict = await verify(images[image]!, policy(), change);
    t.is(verdict.reason, want, JSON.stringify(verdict, undefined, 2));
    t.not(verdict.outcome, 'Verified');
    t.regex(verdict.message, says ?? /./);
  });
}

test('a verdict holds as long as all reports do that it rests on', async (t) => {
  const vulnerabilities = { ...ASKED.vulnerabilities, from: ['scanner', 'analyst'], threshold: 2 };
  const verdict = await verify(images['scanned by two']!, { requirement: { vulnerabilities } });
  t.is(verdict.outcome, 'Verified', verdict.message);
  t.is(verdict.validUntil, new Date(Date.parse(ago(3 * HOUR)) + 86_400_000).toISOString());
});

test('a verdict of an index holds as long as those of all images in it', async (t) => {
  const requirement = { vulnerabilities: ASKED.vulnerabilities };
  const each = await verify(images['scanned index']!, { requirement, platforms: 'Each' });
  t.is(each.outcome, 'Verified', each.message);
  t.is(each.validUntil, new Date(Date.parse(ago(2 * HOUR)) + 86_400_000).toISOString());
  const alone = await verify(images['scanned index']!, { requirement });
  t.is(alone.validUntil, new Date(Date.parse(ago(HOUR)) + 86_400_000).toISOString());
});

test('what is not known of an image in an index is asked again when its registry says', async (t) => {
  const verdict = await verifyImage(images['index']!, {
    policy: world.policy({ platforms: 'Each' }),
    source: {
      gather: async (digest) =>
        digest === images['index']
          ? world.source().gather(digest)
          : { kind: 'unknown', reason: 'RegistryThrottled', message: '429', retryAfterMs: 7000 },
    },
    now,
  });
  t.like(verdict, { outcome: 'Unknown', reason: 'RegistryThrottled', retryAfterMs: 7000 });
});

test('an older report that cannot be read is no argument against a newer one', async (t) => {
  const verdict = await verify(images['an older report unread']!, {
    requirement: { vulnerabilities: ASKED.vulnerabilities },
  });
  t.is(verdict.outcome, 'Verified', verdict.message);
});

test('who is believed because a certificate is valid now is so no longer than that', async (t) => {
  const policy = world.policy({
    authorities: [world.keyless({ time: 'Observer', log: 'Ignored' })],
    requirement: { signatures: { from: ['ci'], threshold: 1 } },
  });
  const soon = new Date(Date.now() + 1000);
  const verdict = await verifyImage(images['keyless']!, { policy, source: world.source(), now: soon });
  t.is(verdict.outcome, 'Verified', verdict.message);
  t.true(Date.parse(verdict.validUntil ?? '') > soon.getTime());
});
