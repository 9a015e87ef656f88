// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { ImagePolicyFacts } from '../images/policy.ts';
import type { PolicyVerdict, Proof } from '../images/proof.ts';
import type { ProvenFacts } from '../images/proven-facts.ts';
import { knownBy, SIGNED, VERIFIED } from '../images/testing/known.ts';
import {
  imageInputs,
  type ImagesKnown,
  MAX_TOLD_BYTES,
  MAX_TOLD_IMAGES,
  type ImageInput,
  tellerOf,
} from './image-input.ts';
import { projector } from './projection.ts';
import type { Review } from './review.ts';
import { FACTS, makeReview, NOW } from './testing/make.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const IMAGE = 'registry.example/app:1';
const at = (seconds: number): string => new Date(NOW.getTime() + seconds * 1000).toISOString();

const STATED: ProvenFacts = {
  checks: { signatures: { outcome: 'Verified' }, sbom: { outcome: 'Refused', reason: 'SbomInvalid' } },
  signers: [{ authority: 'release', fingerprint: 'f1', states: ['signature'] }],
  signersLeftOut: 0,
};

function verdict(fields: Partial<PolicyVerdict> = {}): PolicyVerdict {
  return { ...VERIFIED, facts: STATED, ...fields };
}

function proof(policies: readonly PolicyVerdict[] = [verdict()], more: Partial<Proof> = {}): Proof {
  return {
    namespace: 'acme-dev',
    image: IMAGE,
    digest: DIGEST,
    verifiedAt: at(-60),
    expiresAt: at(600),
    policies,
    ...more,
  };
}

function known(proofs: readonly Proof[] = [proof()], policies = [SIGNED]): ImagesKnown {
  return { policies, known: knownBy(proofs) };
}

function podOf(images: readonly string[]): Partial<Review> {
  return { object: { spec: { containers: images.map((image) => ({ image })) } } };
}

function told(images: ImagesKnown | undefined, review: Partial<Review> = podOf([IMAGE])) {
  return imageInputs(
    makeReview(review),
    tellerOf(() => images),
    NOW,
  );
}

const first = (images: ImagesKnown | undefined, review?: Partial<Review>): ImageInput => {
  const [one] = told(images, review);
  if (one === undefined) throw new Error('nothing is told');
  return one;
};

test('rules see what was proved, by which policy, when, and until when it counts', (t) => {
  t.deepEqual(first(known()), {
    field: 'spec.containers[0].image',
    image: IMAGE,
    name: IMAGE,
    digest: DIGEST,
    state: 'Known',
    policies: [
      {
        kind: 'ClusterImagePolicy',
        name: 'signed',
        outcome: 'Verified',
        verifiedAt: at(-60),
        validUntil: at(600),
        checks: {
          signatures: 'Verified',
          provenance: 'NotAsked',
          sbom: 'Refused',
          vulnerabilities: 'NotAsked',
        },
        signers: STATED.signers,
        signersLeftOut: 0,
      },
    ],
  });
});

interface Unknown {
  readonly images?: ImagesKnown | undefined;
  readonly image?: string;
  readonly reason: string;
  readonly policies: number;
}

const UNKNOWN: Readonly<Record<string, Unknown>> = {
  'nobody knows of any verdict': { images: undefined, reason: 'Unavailable', policies: 0 },
  'no policy is about it': { image: 'other.example/a', reason: 'NotCovered', policies: 0 },
  'no policy is for the namespace': { images: known([proof()], []), reason: 'NotCovered', policies: 0 },
  'its name is none': { image: 'registry.example/A b', reason: 'InvalidReference', policies: 0 },
  'nobody has looked yet': { images: known([]), reason: 'BeingVerified', policies: 1 },
  'the policy is another one by now': {
    images: known([proof()], [{ ...SIGNED, generation: 4 }]),
    reason: 'BeingVerified',
    policies: 1,
  },
  'the policy is a namesake': {
    images: known([proof()], [{ ...SIGNED, uid: 'u2' }]),
    reason: 'BeingVerified',
    policies: 1,
  },
  'the proof has expired': {
    images: known([proof([verdict()], { expiresAt: at(0) })]),
    reason: 'BeingVerified',
    policies: 1,
  },
  'the policy lets it be no older': {
    images: known([proof([verdict({ verifiedAt: at(-4000) })])]),
    reason: 'BeingVerified',
    policies: 1,
  },
  'time alone may have changed it': {
    images: known([proof([verdict({ validUntil: at(-1) })])]),
    reason: 'BeingVerified',
    policies: 1,
  },
  'the registry did not answer': {
    images: known([proof([verdict({ outcome: 'Unknown', reason: 'RegistryUnreachable' })])]),
    reason: 'CouldNotBeTold',
    policies: 1,
  },
};

for (const [title, given] of Object.entries(UNKNOWN)) {
  test(`an image is not known, and nothing is stated of it, where ${title}`, (t) => {
    const images = Object.hasOwn(given, 'images') ? given.images : known();
    const one = first(images, podOf([given.image ?? IMAGE]));
    t.like(one, { state: 'NotKnown', reason: given.reason });
    t.is(one.digest, undefined);
    t.is(one.policies.length, given.policies);
    t.true(one.policies.every(({ outcome }) => outcome === 'Unknown'));
    if (title !== 'the registry did not answer')
      t.true(one.policies.every(({ signers }) => signers === undefined));
  });
}

test('what was refused is known, with why; what is not told of it is not known, and not absent', (t) => {
  const refused = verdict({ outcome: 'Refused', reason: 'OverBudget' });
  const { facts: _, ...silent } = refused;
  t.like(first(known([proof([refused])])), {
    state: 'Known',
    policies: [{ outcome: 'Refused', reason: 'OverBudget', checks: { signatures: 'Verified' } }],
  });
  t.like(first(known([proof([silent])])), {
    policies: [{ checks: { signatures: 'Unknown', vulnerabilities: 'Unknown' } }],
  });
});

test('whom a tenant trusts is told as that, also where it calls its policy as one of the platform', (t) => {
  const own: ImagePolicyFacts = { ...SIGNED, kind: 'ImagePolicy', namespace: 'acme-dev', uid: 'u2' };
  // What the proof says of itself does not count: the policy that is there does.
  const forged = proof([verdict({ uid: 'u2' })]);
  const { policies } = first(known([forged], [own]));
  t.deepEqual(
    policies.map(({ kind, name }) => `${kind} ${name}`),
    ['ImagePolicy signed'],
  );
});

const fields = (review: Partial<Review>) => told(known(), review).map(({ field }) => field);

test('all images of an object are told, and those of Agents', (t) => {
  const spec = {
    initContainers: [{ image: IMAGE }],
    ephemeralContainers: [{ image: 'other.example/a' }],
    volumes: [{ image: { reference: IMAGE } }],
  };
  t.deepEqual(fields({ object: { spec } }), [
    'spec.initContainers[0].image',
    'spec.ephemeralContainers[0].image',
    'spec.volumes[0].image.reference',
  ]);
  const agents = { group: 'nexusos.dev', version: 'v1alpha1', resource: 'agents' };
  t.deepEqual(fields({ resource: agents, object: { spec: { container: { image: IMAGE } } } }), [
    'spec.container.image',
  ]);
  for (const odd of [{}, { spec: 1 }, { spec: { container: [] } }, { spec: { container: { image: 7 } } }])
    t.deepEqual(fields({ resource: agents, object: odd }), []);
  t.deepEqual(fields({ operation: 'DELETE', object: undefined as never }), []);
});

test('of more images than are told, and of more than rules can read, it is said that they are not known', (t) => {
  const images = Array.from({ length: MAX_TOLD_IMAGES + 10 }, () => IMAGE);
  const many = told(known(), podOf(images));
  t.is(many.length, images.length);
  t.true(
    many.slice(MAX_TOLD_IMAGES).every(({ state, reason }) => state === 'NotKnown' && reason === 'TooMuch'),
  );
  const signers = Array.from({ length: 8 }, () => ({ ...STATED.signers[0]!, subject: 's'.repeat(500) }));
  const large = known([proof([verdict({ facts: { ...STATED, signers } })])]);
  const cut = told(large, podOf(images));
  const said = cut.filter(({ state }) => state === 'Known');
  t.true(said.length > 0 && said.length < MAX_TOLD_IMAGES);
  t.true(Buffer.byteLength(JSON.stringify(said)) <= MAX_TOLD_BYTES + images.length);
  t.true(
    cut.slice(said.length).every(({ reason }) => reason === 'TooMuch'),
    'and none after that',
  );
});

test('only packs that ask are told, and nothing is looked up for others', (t) => {
  let lookedUp = 0;
  const images = tellerOf(() => {
    lookedUp += 1;
    return known();
  });
  const inputOf = projector(makeReview(podOf([IMAGE])), { ...FACTS, images }, NOW);
  const wanted = { shape: 'Review', trust: 'Platform', parameters: '{}' } as const;
  t.false('images' in JSON.parse(inputOf(wanted)));
  t.is(lookedUp, 0);
  const input = JSON.parse(inputOf({ ...wanted, seesImages: true, constraints: '[]' }));
  t.like(input, { images: [{ image: IMAGE, state: 'Known' }], constraints: [] });
  inputOf({ ...wanted, trust: 'Tenant', seesImages: true });
  t.is(lookedUp, 1, 'once for all packs of a request');
  const deaf = projector(makeReview(podOf([IMAGE])), FACTS, NOW)({ ...wanted, seesImages: true });
  t.like(JSON.parse(deaf), { images: [{ state: 'NotKnown', reason: 'Unavailable' }] });
  t.false('images' in JSON.parse(inputOf({ ...wanted, shape: 'AdmissionReview', seesImages: true })));
});
