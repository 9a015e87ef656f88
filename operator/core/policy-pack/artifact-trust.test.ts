// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KnownImages } from '../images/admit.ts';
import type { ImagePolicyFacts } from '../images/policy.ts';
import type { PolicyVerdict, Proof } from '../images/proof.ts';
import { type ArtifactTrust, artifactName, artifactTrust } from './artifact-trust.ts';

const NOW = new Date('2026-11-23T12:00:00Z');
const at = (seconds: number): string => new Date(NOW.getTime() + seconds * 1000).toISOString();
const DIGEST = `sha256:${'a'.repeat(64)}`;
const CONTENT = { image: 'registry.example/packs/images', digest: DIGEST };
const NAME = `registry.example/packs/images@${DIGEST}`;

const POLICY: ImagePolicyFacts = {
  kind: 'ClusterImagePolicy',
  name: 'signed',
  uid: 'u1',
  generation: 1,
  images: ['registry.example/packs/*'],
  enforcement: 'Enforce',
  unknown: 'Deny',
  maxAgeSeconds: 3600,
};

function knownBy(verdicts: readonly Partial<PolicyVerdict>[], more: Partial<Proof> = {}): KnownImages {
  const proof: Proof = {
    namespace: 'team',
    image: NAME,
    digest: DIGEST,
    verifiedAt: at(-60),
    expiresAt: at(600),
    policies: verdicts.map((one, index) => ({
      kind: 'ClusterImagePolicy',
      name: 'signed',
      uid: `u${index + 1}`,
      generation: 1,
      digest: 'sha256:p',
      outcome: 'Verified',
      message: 'fine',
      ...one,
    })),
    ...more,
  };
  return {
    proofOf: (image) => (image === proof.image ? proof : undefined),
    proofsOfDigest: () => [],
  };
}

const NOBODY: KnownImages = { proofOf: () => undefined, proofsOfDigest: () => [] };
const REFUSED = { outcome: 'Refused', reason: 'NoSignature', message: 'nothing is attached' } as const;
const SILENT = { outcome: 'Unknown', reason: 'RegistryUnreachable', message: 'no answer' } as const;

interface Case {
  readonly policies?: readonly ImagePolicyFacts[];
  readonly known?: KnownImages;
  /** `kind`, with the reason of a fault, and whether that is that nothing is known. */
  readonly want: string;
}

const CASES: Readonly<Record<string, Case>> = {
  'no policy at all': { policies: [], known: NOBODY, want: 'unasked' },
  'no policy is about it': {
    policies: [{ ...POLICY, images: ['registry.example/apps/*'] }],
    known: NOBODY,
    want: 'unasked',
  },
  'a policy is content': { want: 'trusted' },
  'nobody has looked yet': { known: NOBODY, want: 'VerifyingArtifact unknown' },
  'the policy is another one by now': {
    policies: [{ ...POLICY, generation: 2 }],
    want: 'VerifyingArtifact unknown',
  },
  'it is not signed': { known: knownBy([REFUSED]), want: 'ArtifactRefused' },
  'the registry does not answer, which is not to be without signature': {
    known: knownBy([SILENT]),
    want: 'ArtifactUnknown unknown',
  },
  'the registry does not answer, and the policy lets that pass': {
    policies: [{ ...POLICY, unknown: 'Allow' }],
    known: knownBy([SILENT]),
    want: 'ArtifactUnknown unknown',
  },
  'the registry is asked too often, and the policy lets that pass': {
    policies: [{ ...POLICY, unknown: 'Allow' }],
    known: knownBy([{ ...SILENT, reason: 'RegistryThrottled' }]),
    want: 'ArtifactUnknown unknown',
  },
  'one policy is content, and another lets pass what it could not tell': {
    policies: [POLICY, { ...POLICY, name: 'other', uid: 'u2', unknown: 'Allow' }],
    known: knownBy([{}, SILENT]),
    want: 'ArtifactUnknown unknown',
  },
  'a refusal counts before what may pass unknown': {
    policies: [
      { ...POLICY, unknown: 'Allow' },
      { ...POLICY, name: 'other', uid: 'u2' },
    ],
    known: knownBy([SILENT, REFUSED]),
    want: 'ArtifactRefused',
  },
  'one of two policies refuses': {
    policies: [POLICY, { ...POLICY, name: 'other', uid: 'u2' }],
    known: knownBy([{}, REFUSED]),
    want: 'ArtifactRefused',
  },
  'a refusal counts before what is not known': {
    policies: [POLICY, { ...POLICY, name: 'other', uid: 'u2' }],
    known: knownBy([SILENT, REFUSED]),
    want: 'ArtifactRefused',
  },
  'a policy that only warns refuses': {
    policies: [{ ...POLICY, enforcement: 'Warn' }],
    known: knownBy([REFUSED]),
    want: 'trusted',
  },
  'what was proved has expired': {
    known: knownBy([{}], { expiresAt: at(0) }),
    want: 'VerifyingArtifact unknown',
  },
  'what was proved is of another digest': {
    known: knownBy([{}], { digest: `sha256:${'b'.repeat(64)}` }),
    want: 'VerifyingArtifact unknown',
  },
};

function worded(trust: ArtifactTrust): string {
  if (trust.kind !== 'fault') return trust.kind;
  const { reason, isUnknown = false } = trust.fault;
  return isUnknown ? `${reason} unknown` : reason;
}

for (const [title, { policies = [POLICY], known = knownBy([{}]), want }] of Object.entries(CASES)) {
  test(`an artifact: ${title}`, (t) => {
    t.is(worded(artifactTrust(CONTENT, { policies, known, now: NOW })), want);
  });
}

test('who is refused is told by whom, why, and what to do', (t) => {
  const trust = artifactTrust(CONTENT, { policies: [POLICY], known: knownBy([REFUSED]), now: NOW });
  const message = trust.kind === 'fault' ? trust.fault.message : '';
  for (const part of [
    'spec.source.oci',
    NAME,
    'ClusterImagePolicy signed',
    'NoSignature',
    'nothing is attached',
  ])
    t.true(message.includes(part), `${part} in ${message}`);
});

test('what only warns is told beside what is content, and it is looked again when either may be another', (t) => {
  const warns = { ...POLICY, name: 'scanned', uid: 'u2', enforcement: 'Warn' } as const;
  const known = knownBy([{ validUntil: at(120) }, REFUSED]);
  const trust = artifactTrust(CONTENT, { policies: [POLICY, warns], known, now: NOW });
  t.deepEqual(trust, {
    kind: 'trusted',
    message:
      'its artifact: as asked by ClusterImagePolicy signed; ClusterImagePolicy scanned only warns: NoSignature',
    againMs: 120_000,
  });
});

test('an artifact is named as images are', (t) => {
  t.is(artifactName(CONTENT), NAME);
  t.is(artifactName({ image: 'a b', digest: DIGEST }), undefined);
});
