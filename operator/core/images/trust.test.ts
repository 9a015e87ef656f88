// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KnownImages } from './admit.ts';
import type { ImagePolicyFacts } from './policy.ts';
import type { PolicyVerdict } from './proof.ts';
import { type ImageTrust, imageTrust } from './trust.ts';

const NOW = new Date('2026-11-23T12:00:00Z');
const IMAGE = `registry.example/app@sha256:${'a'.repeat(64)}`;
const at = (seconds: number): string => new Date(NOW.getTime() + seconds * 1000).toISOString();

const POLICY: ImagePolicyFacts = {
  kind: 'ClusterImagePolicy',
  name: 'signed',
  uid: 'u1',
  generation: 1,
  images: ['registry.example/*'],
  enforcement: 'Enforce',
  unknown: 'Allow',
  maxAgeSeconds: 3600,
};
const OTHER: ImagePolicyFacts = { ...POLICY, name: 'other', uid: 'u2' };
const VERIFIED: Partial<PolicyVerdict> = { outcome: 'Verified', message: 'fine' };
const REFUSED: Partial<PolicyVerdict> = { outcome: 'Refused', reason: 'NoSignature', message: 'none' };
const SILENT: Partial<PolicyVerdict> = { outcome: 'Unknown', reason: 'RegistryThrottled', message: '429' };

function knownBy(verdicts: readonly Partial<PolicyVerdict>[]): KnownImages {
  const policies = verdicts.map((one, index) => ({
    kind: 'ClusterImagePolicy' as const,
    name: 'signed',
    uid: `u${index + 1}`,
    generation: 1,
    digest: 'sha256:p',
    outcome: 'Verified' as const,
    message: 'fine',
    ...one,
  }));
  const digest = IMAGE.split('@')[1] ?? '';
  const dates = { verifiedAt: at(-60), expiresAt: at(600) };
  const proof = { namespace: 'team', image: IMAGE, digest, ...dates, policies };
  return { proofOf: (image) => (image === IMAGE ? proof : undefined), proofsOfDigest: () => [] };
}

const CASES: Readonly<
  Record<
    string,
    {
      readonly policies?: readonly ImagePolicyFacts[];
      readonly verdicts: readonly Partial<PolicyVerdict>[];
      /** `kind`, with what was found by whom, or what is said of what is trusted. */
      readonly want: string;
    }
  >
> = {
  'a policy is content': { verdicts: [VERIFIED], want: 'trusted: as asked by ClusterImagePolicy signed' },
  'nobody answered, and that may pass': { verdicts: [SILENT], want: 'untold: RegistryThrottled by signed' },
  'nobody answered, and that may not pass': {
    policies: [{ ...POLICY, unknown: 'Deny' }],
    verdicts: [SILENT],
    want: 'held: RegistryThrottled by signed',
  },
  'one is content, and of another nobody answered': {
    policies: [POLICY, OTHER],
    verdicts: [VERIFIED, SILENT],
    want: 'untold: RegistryThrottled by other',
  },
  'one may pass unknown, and another may not': {
    policies: [POLICY, { ...OTHER, unknown: 'Deny' }],
    verdicts: [SILENT, SILENT],
    want: 'held: RegistryThrottled by other',
  },
  'one may pass unknown, and another refuses': {
    policies: [POLICY, OTHER],
    verdicts: [SILENT, REFUSED],
    want: 'held: NoSignature by other',
  },
  'one that only warns could not tell': {
    policies: [POLICY, { ...OTHER, enforcement: 'Warn' }],
    verdicts: [VERIFIED, SILENT],
    want: 'trusted: as asked by ClusterImagePolicy signed; ClusterImagePolicy other only warns: RegistryThrottled',
  },
};

function worded(trust: ImageTrust): string {
  if (trust.kind === 'unasked') return trust.kind;
  if (trust.kind === 'trusted') return `${trust.kind}: ${trust.message}`;
  return `${trust.kind}: ${trust.finding.reason} by ${trust.finding.policy.name}`;
}

for (const [title, { policies = [POLICY], verdicts, want }] of Object.entries(CASES)) {
  test(`trust in an image: ${title}`, (t) => {
    t.is(worded(imageTrust(IMAGE, { policies, known: knownBy(verdicts), now: NOW })), want);
  });
}
