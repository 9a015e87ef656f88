// SPDX-License-Identifier: Apache-2.0
import type { ImageVerdict } from '../../supply-chain/verdict.ts';
import { nextProof, type PolicyAsked, type ProofSeen } from '../next-proof.ts';
import type { Proof } from '../proof.ts';
import type { ImageFindings } from '../verification.ts';

/** When the story begins. */
export const BEGIN = Date.parse('2026-11-01T00:00:00.000Z');
/** In milliseconds. */
export const HOUR = 3_600_000;
/** What the image is. */
export const DIGEST = `sha256:${'a'.repeat(64)}`;
/** Another one. */
export const OTHER = `sha256:${'b'.repeat(64)}`;
/** The image. */
export const IMAGE = 'registry.example/app:1';

/** A time of the story. */
export function at(ms: number): Date {
  return new Date(BEGIN + ms);
}

/** A policy that is about the image. */
export function asked(fields: Partial<PolicyAsked['facts']> = {}, digest = 'sha256:p1'): PolicyAsked {
  const facts = {
    kind: 'ClusterImagePolicy',
    name: 'signed',
    uid: 'u1',
    generation: 1,
    images: ['*'],
    enforcement: 'Enforce',
    unknown: 'Deny',
    maxAgeSeconds: 86_400,
  } as const;
  return { facts: { ...facts, ...fields }, digest };
}

/** What was found by the first policy. */
export function found(fields: Partial<ImageVerdict> = {}, more: Partial<ImageFindings> = {}): ImageFindings {
  const verdict: ImageVerdict = {
    image: DIGEST,
    policy: 'sha256:p1',
    outcome: 'Verified',
    message: 'all that is asked for was verified',
    checks: [],
    facts: { signers: [] },
    notes: [],
    checkedAt: at(0).toISOString(),
    ...fields,
  };
  return { digest: DIGEST, verdicts: new Map([['u1', verdict]]), checkedAt: at(0), ...more };
}

/** What a registry that is down comes to. */
export const UNREACHABLE = {
  outcome: 'Unknown',
  reason: 'RegistryUnreachable',
  message: 'no answer',
} as const;

/** What is proved next. */
export function next(fields: Partial<ProofSeen>): Proof | undefined {
  return nextProof({
    namespace: 'a',
    image: IMAGE,
    policies: [asked()],
    previous: undefined,
    findings: undefined,
    now: at(0),
    ...fields,
  });
}

/** What is proved at first. */
export function first(fields: Partial<ImageVerdict> = {}, policies = [asked()]): Proof {
  const proof = next({ findings: found(fields), policies });
  if (proof === undefined) throw new Error('nothing was proved');
  return proof;
}
