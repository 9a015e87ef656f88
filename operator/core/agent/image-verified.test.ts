// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { ImageFinding } from '../images/admit.ts';
import { type ImageTrust, imageTrust } from '../images/trust.ts';
import type { Condition } from '../object.ts';
import type { Agent } from './agent.ts';
import { imageAgainMs, withImage } from './image-verified.ts';

const NOW = new Date('2026-11-23T12:00:00Z');
const AGENT = { metadata: { name: 'a', generation: 4 } } as Agent;
const READY: Condition = {
  type: 'Ready',
  status: 'True',
  reason: 'Accepted',
  message: '',
  lastTransitionTime: NOW.toISOString(),
};

function held(kind: ImageFinding['kind'], reason: string): ImageTrust {
  const policy = {
    kind: 'ClusterImagePolicy',
    name: 'signed',
    uid: 'u1',
    generation: 1,
    images: ['*'],
    enforcement: 'Enforce',
    unknown: 'Deny',
    maxAgeSeconds: 3600,
  } as const;
  const use = { field: '', image: 'registry.example/app:1' };
  const finding = { kind, use, policy, reason, message: 'as was found' };
  return { kind: 'held', name: 'registry.example/app:1', finding };
}

/** As in an outage: the policy lets pods run meanwhile. */
function throttledAndAllowed(): ImageTrust {
  const image = `registry.example/app@sha256:${'a'.repeat(64)}`;
  const policy = {
    kind: 'ClusterImagePolicy',
    name: 'signed',
    uid: 'u1',
    generation: 1,
    images: ['*'],
    enforcement: 'Enforce',
    unknown: 'Allow',
    maxAgeSeconds: 3600,
  } as const;
  const verdict = {
    kind: 'ClusterImagePolicy',
    name: 'signed',
    uid: 'u1',
    generation: 1,
    digest: 'sha256:p',
    outcome: 'Unknown',
    reason: 'RegistryThrottled',
    message: 'come later',
  } as const;
  const proof = {
    namespace: 'team',
    image,
    policies: [verdict],
    verifiedAt: '2026-11-23T11:59:00Z',
    expiresAt: '2026-11-23T12:10:00Z',
  };
  const known = { proofOf: () => proof, proofsOfDigest: () => [] };
  return imageTrust(image, { policies: [policy], known, now: NOW });
}

function told(image: ImageTrust | undefined, before: readonly Condition[] = [READY]) {
  const conditions = withImage(AGENT, { conditions: before, image }, NOW);
  return conditions.find(({ type }) => type === 'ImageVerified');
}

const CASES: Readonly<Record<string, { image: ImageTrust; want: readonly [string, string] }>> = {
  'it is as asked': {
    image: { kind: 'trusted', message: 'as asked by ClusterImagePolicy signed', warns: false, againMs: 5 },
    want: ['True', 'ImageVerified'],
  },
  'it is refused': { image: held('Refused', 'NoSignature'), want: ['False', 'ImageRefused'] },
  'it could not be told, which is no refusal': {
    image: held('Unknown', 'RegistryUnreachable'),
    want: ['Unknown', 'ImageUnknown'],
  },
  'it could not be told, and the policy lets that pass': {
    image: throttledAndAllowed(),
    want: ['Unknown', 'ImageUnknown'],
  },
  'nobody has looked yet': { image: held('Pending', 'BeingVerified'), want: ['Unknown', 'VerifyingImage'] },
};

for (const [title, { image, want }] of Object.entries(CASES)) {
  test(`the image of an Agent: ${title}`, (t) => {
    const found = told(image);
    t.deepEqual([found?.status, found?.reason], [...want]);
    t.is(found?.observedGeneration, 4);
  });
}

test('a refusal says which image, by which policy, why, and what to do', (t) => {
  t.is(
    told(held('Refused', 'NoSignature'))?.message,
    'registry.example/app:1: ClusterImagePolicy signed (NoSignature): as was found; sign this digest as the policy asks, or run an image that is',
  );
});

test('of a name it is said what it meant, since that is what has to be signed', (t) => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const image = held('Refused', 'NoSignature');
  if (image.kind !== 'held') throw new Error(image.kind);
  const finding = { ...image.finding, digest };
  t.regex(told({ ...image, finding })?.message ?? '', /^registry\.example\/app:1 \(sha256:a{64}\): Cluster/);
  const name = `registry.example/app@${digest}`;
  t.regex(
    told({ kind: 'held', name, finding })?.message ?? '',
    /^registry\.example\/app@sha256:a{64}: Cluster/,
  );
});

test('where no policy is about it nothing is said, and what was said goes', (t) => {
  t.is(told(undefined), undefined);
  const before = withImage(AGENT, { conditions: [READY], image: held('Refused', 'WrongKey') }, NOW);
  t.is(before.length, 2);
  t.deepEqual(withImage(AGENT, { conditions: before, image: { kind: 'unasked' } }, NOW), [READY]);
});

test('what counts for a time is looked at again when that is over', (t) => {
  t.is(imageAgainMs({ kind: 'trusted', message: '', warns: false, againMs: 5 }), 5);
  t.is(imageAgainMs(held('Refused', 'WrongKey')), Infinity);
  t.is(imageAgainMs(undefined), Infinity);
});
