// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { judgeImages } from './admit.ts';
import type { ImagePolicyFacts } from './policy.ts';
import type { PolicyVerdict, Proof } from './proof.ts';
import { withProof } from './several-names.ts';
import { knownBy, SIGNED, VERIFIED } from './testing/known.ts';

const now = new Date('2026-11-23T12:00:00Z');
const at = (seconds: number): string => new Date(now.getTime() + seconds * 1000).toISOString();
const DIGEST = `sha256:${'a'.repeat(64)}`;
const REPOSITORY = 'registry.example/team/app';
/** Who makes a pod writes this; what runs is named by its digest as well, and is looked at by that name too. */
const TAGGED = `${REPOSITORY}:1`;
const PINNED = `${TAGGED}@${DIGEST}`;

const policy = SIGNED;
const second: ImagePolicyFacts = { ...policy, name: 'second', uid: 'u2' };
const verified = VERIFIED;
const refused: PolicyVerdict = { ...verified, outcome: 'Refused', reason: 'NoSignature', message: 'none' };
const unknown: PolicyVerdict = {
  ...verified,
  outcome: 'Unknown',
  reason: 'RegistryUnreachable',
  message: 'no answer',
};

function proof(image: string, policies: readonly PolicyVerdict[], change: Partial<Proof> = {}): Proof {
  const found = { verifiedAt: at(-60), expiresAt: at(3540) };
  return { namespace: 'team', image, digest: DIGEST, ...found, policies, ...change };
}

/** Found before what cannot be told now. */
const BEFORE = { verifiedAt: at(-600), expiresAt: at(3000) };
const before = proof(TAGGED, [verified], BEFORE);

interface Case {
  readonly proofs: readonly Proof[];
  readonly image?: string;
  readonly policies?: readonly ImagePolicyFacts[];
  /** Findings; none where it passes. */
  readonly want: readonly string[];
  /** The verdict that is worth another look. */
  readonly refused?: string;
}

const cases: Readonly<Record<string, Case>> = {
  'what runs cannot be looked at, and was let in by its tag': {
    proofs: [before, proof(PINNED, [unknown])],
    want: [],
  },
  'the same, in the other order': { proofs: [proof(PINNED, [unknown]), before], want: [] },
  'the same, named by its digest alone': {
    image: `${REPOSITORY}@${DIGEST}`,
    proofs: [before, proof(PINNED, [unknown])],
    want: [],
  },
  'many names of it cannot be looked at': {
    proofs: [
      before,
      ...Array.from({ length: 20 }, (_, number) => proof(`${REPOSITORY}:x${number}@${DIGEST}`, [unknown])),
      proof(PINNED, [unknown]),
    ],
    want: [],
  },
  'not even a digest could be told by its own name': {
    proofs: [before, { ...proof(PINNED, [unknown]), digest: undefined as never }],
    want: [],
  },
  'what is known by another name is a refusal': {
    proofs: [proof(TAGGED, [refused], BEFORE), proof(PINNED, [unknown])],
    want: ['Refused NoSignature'],
    refused: TAGGED,
  },
  'it is refused by its own name': {
    proofs: [before, proof(PINNED, [refused])],
    want: ['Refused NoSignature'],
    refused: PINNED,
  },
  'it is refused by its own name, and later verified by another: each is looked at by itself': {
    proofs: [proof(TAGGED, [verified]), proof(PINNED, [refused], BEFORE)],
    want: ['Refused NoSignature'],
    refused: PINNED,
  },
  'each policy is told by another name': {
    policies: [policy, second],
    proofs: [
      proof(TAGGED, [verified, { ...unknown, uid: 'u2' }], BEFORE),
      proof(PINNED, [unknown, { ...verified, uid: 'u2' }]),
    ],
    want: [],
  },
  'one of two policies cannot be told by any name': {
    policies: [policy, second],
    proofs: [
      proof(TAGGED, [verified, { ...unknown, uid: 'u2' }], BEFORE),
      proof(PINNED, [unknown, { ...unknown, uid: 'u2' }]),
    ],
    want: ['Unknown RegistryUnreachable'],
  },
  'what is known by another name was by other trust': {
    proofs: [proof(TAGGED, [{ ...verified, digest: 'sha256:q' }], BEFORE), proof(PINNED, [unknown])],
    want: ['Unknown RegistryUnreachable'],
  },
  'what is known by another name was before the policy changed': {
    proofs: [proof(TAGGED, [{ ...verified, generation: 2 }], BEFORE), proof(PINNED, [unknown])],
    want: ['Unknown RegistryUnreachable'],
  },
  'what is known by another name is over': {
    proofs: [proof(TAGGED, [verified], { ...BEFORE, expiresAt: at(0) }), proof(PINNED, [unknown])],
    want: ['Unknown RegistryUnreachable'],
  },
  'what is known by another name is older than the policy lets it be': {
    policies: [{ ...policy, maxAgeSeconds: 600 }],
    proofs: [before, proof(PINNED, [unknown])],
    want: ['Unknown RegistryUnreachable'],
  },
  'what is known by another name is over, and that nobody answered lets it in': {
    policies: [{ ...policy, unknown: 'Allow', maxAgeSeconds: 600 }],
    proofs: [before, proof(PINNED, [unknown])],
    want: [],
  },
  'what was known by its own name is over, and by another it is not': {
    proofs: [proof(TAGGED, [verified]), proof(PINNED, [verified], { ...BEFORE, expiresAt: at(0) })],
    want: [],
  },
  'what was known by its own name is over, and by another it was by other trust': {
    proofs: [
      proof(TAGGED, [{ ...verified, digest: 'sha256:q' }]),
      proof(PINNED, [verified], { ...BEFORE, expiresAt: at(0) }),
    ],
    want: ['Pending BeingVerified'],
  },
  'what has the name of a tag may be another image by now': {
    image: TAGGED,
    proofs: [proof(TAGGED, [unknown]), proof(PINNED, [verified], BEFORE)],
    want: ['Unknown RegistryUnreachable'],
  },
  'another digest is known': {
    proofs: [{ ...before, digest: `sha256:${'b'.repeat(64)}` }, proof(PINNED, [unknown])],
    want: ['Unknown RegistryUnreachable'],
  },
  'the same digest is known in another repository': {
    proofs: [{ ...before, image: 'registry.example/team/other:1' }, proof(PINNED, [unknown])],
    want: ['Unknown RegistryUnreachable'],
  },
};

for (const [title, given] of Object.entries(cases)) {
  test(`an image with several names is judged by what is known by any: ${title}`, (t) => {
    const { proofs, image = PINNED, policies = [policy], want } = given;
    const judged = judgeImages({
      uses: [{ field: 'spec.containers[0].image', image }],
      policies,
      known: knownBy(proofs),
      now,
    });
    t.deepEqual(
      judged.findings.map(({ kind, reason }) => `${kind} ${reason}`),
      want,
    );
    t.deepEqual(judged.refused, given.refused === undefined ? [] : [given.refused]);
  });
}

const telling = proof('a', [verified], BEFORE);
const silent = proof('b', [unknown]);
const later = proof('c', [unknown], { verifiedAt: at(-1) });

for (const [title, { proofs, want }] of Object.entries({
  'one alone': { proofs: [silent], want: [silent] },
  'the latest tells': { proofs: [telling, proof('d', [refused])], want: [proof('d', [refused])] },
  'the latest tells nothing': { proofs: [telling, silent], want: [silent, telling] },
  'the latest tells nothing, and comes first': { proofs: [silent, telling], want: [silent, telling] },
  'none tells': { proofs: [silent, later], want: [later] },
  'two tell nothing': { proofs: [silent, telling, later], want: [later, telling] },
  'the latest tells a part': {
    proofs: [telling, proof('d', [verified, unknown])],
    want: [proof('d', [verified, unknown]), telling],
  },
  'of the others the one that tells most': {
    proofs: [proof('e', [verified, verified], BEFORE), proof('f', [verified, unknown]), later],
    want: [later, proof('e', [verified, verified], BEFORE)],
  },
  'one that tells is renewed, and tells nothing': {
    proofs: [telling, { ...silent, image: 'a' }],
    want: [{ ...silent, image: 'a' }],
  },
  'an earlier one of the same name comes again': {
    proofs: [{ ...silent, image: 'a' }, telling],
    want: [{ ...silent, image: 'a' }],
  },
  'of one moment the first stays': { proofs: [silent, { ...silent, image: 'd' }], want: [silent] },
})) {
  test(`of many names of an image two are gone by at most: ${title}`, (t) => {
    t.deepEqual(proofs.reduce<readonly Proof[]>(withProof, []), want);
  });
}
