// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { REFUSALS, UNKNOWNS } from '../supply-chain/judgement.ts';
import { adviceOn } from './advice.ts';
import { type Proof, proofStatement, readProof, SUMMARY_PREDICATE } from './proof.ts';

const VERIFIER = { id: 'https://nexusos.dev/operator', version: '1.0.0' };
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
      generation: 3,
      digest: `sha256:${'b'.repeat(64)}`,
      outcome: 'Verified',
      message: '',
    },
  ],
};
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

test('a proof is a verification summary that others can read, and comes back as it was', (t) => {
  const statement = proofStatement(proof, VERIFIER);
  t.like(statement, {
    subject: [{ name: proof.image, digest: { sha256: 'a'.repeat(64) } }],
    predicateType: SUMMARY_PREDICATE,
    predicate: {
      verifier: { id: VERIFIER.id },
      verificationResult: 'PASSED',
      policy: { uri: 'k8s://ClusterImagePolicy/signed', digest: { sha256: 'b'.repeat(64) } },
      timeVerified: proof.verifiedAt,
    },
  });
  t.deepEqual(readProof(bytes(statement)), { kind: 'verified', value: proof });
});

test('it has passed where all policies are content', (t) => {
  const [first] = proof.policies;
  const failed = proofStatement(
    { ...proof, policies: [first!, { ...first!, outcome: 'Unknown' }] },
    VERIFIER,
  );
  t.like(failed, { predicate: { verificationResult: 'FAILED', verifiedLevels: ['FAILED'] } });
});

const LEVELS: Readonly<
  Record<
    string,
    { readonly policies: readonly (readonly [string, number?])[]; readonly want: readonly string[] }
  >
> = {
  'where none is asked': { policies: [['ClusterImagePolicy']], want: [] },
  'the highest': {
    policies: [
      ['ClusterImagePolicy', 1],
      ['ClusterImagePolicy', 2],
    ],
    want: ['SLSA_BUILD_LEVEL_2'],
  },
  'none above what there is': { policies: [['ClusterImagePolicy', 4]], want: ['SLSA_BUILD_LEVEL_3'] },
  'not as a tenant knows its builder': {
    policies: [
      ['ClusterImagePolicy', 1],
      ['ImagePolicy', 3],
    ],
    want: ['SLSA_BUILD_LEVEL_1'],
  },
};

for (const [title, { policies, want }] of Object.entries(LEVELS)) {
  test(`it tells at which level of SLSA it was built: ${title}`, (t) => {
    const statement = proofStatement(
      {
        ...proof,
        policies: policies.map(([kind, level]) => ({
          ...proof.policies[0]!,
          kind: kind as 'ImagePolicy',
          ...(level !== undefined && {
            facts: {
              checks: {},
              signers: [],
              signersLeftOut: 0,
              provenance: { by: 'ci', builder: 'b', buildType: 't', source: 's', level },
            },
          }),
        })),
      },
      VERIFIER,
    ) as { readonly predicate: { readonly verifiedLevels: readonly string[] } };
    t.deepEqual(statement.predicate.verifiedLevels, want);
  });
}

const [first] = proof.policies;
const spoilt: Readonly<Record<string, object>> = {
  'no digest, and verified': { ...proof, digest: undefined },
  'a digest that is none': { ...proof, digest: 'sha256:1' },
  'no namespace': { ...proof, namespace: undefined },
  'a time that is none': { ...proof, expiresAt: 'tomorrow' },
  'no policies': { ...proof, policies: [] },
  'more policies than are read': { ...proof, policies: Array.from({ length: 65 }, () => first) },
  'an outcome that is none': { ...proof, policies: [{ ...first, outcome: 'Fine' }] },
  'a generation that is none': { ...proof, policies: [{ ...first, generation: '3' }] },
  'a policy without uid': { ...proof, policies: [{ ...first, uid: '' }] },
  'a kind that is none': { ...proof, policies: [{ ...first, kind: 'Other' }] },
  'a time of a policy that is none': { ...proof, policies: [{ ...first, validUntil: 'x' }] },
  'an age of a policy that is none': { ...proof, policies: [{ ...first, verifiedAt: 'x' }] },
};

for (const [title, given] of Object.entries(spoilt)) {
  test(`what is no whole proof is none: ${title}`, (t) => {
    t.is(readProof(bytes(proofStatement(given as Proof, VERIFIER))).kind, 'refused');
  });
}

test('another statement is no proof', (t) => {
  const statement = proofStatement(proof, VERIFIER);
  t.is(readProof(bytes({ ...statement, predicateType: 'https://slsa.dev/provenance/v1' })).kind, 'refused');
  t.is(readProof(bytes({ ...statement, _type: 'other' })).kind, 'refused');
  t.is(readProof(Buffer.alloc(70_000, 0x20)).kind, 'refused');
});

test('what is not known needs no digest', (t) => {
  const { digest: _, ...rest } = proof;
  const unknown = { ...rest, policies: [{ ...first!, outcome: 'Unknown' as const }] };
  t.deepEqual(readProof(bytes(proofStatement(unknown, VERIFIER))), { kind: 'verified', value: unknown });
});

test('for every reason there is something to do', (t) => {
  for (const reason of [
    ...Object.keys(REFUSALS),
    ...Object.keys(UNKNOWNS),
    'InvalidReference',
    'BeingVerified',
  ]) {
    t.truthy(adviceOn(reason), reason);
  }
  t.is(adviceOn('toString'), undefined);
});
