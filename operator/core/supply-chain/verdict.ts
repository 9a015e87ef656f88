// SPDX-License-Identifier: Apache-2.0
import type { BudgetOutcome } from './budget.ts';
import type { NotKnown, Refusal, Refused, Unknown } from './judgement.ts';
import type { Provenance } from './provenance.ts';
import type { StatementKind } from './requirement.ts';

/** The word for a verdict. */
export type Outcome = 'Verified' | 'Refused' | 'Unknown';

/** What one part of a policy came to. */
export interface Check {
  readonly name: 'signatures' | 'provenance' | 'sbom' | 'vulnerabilities' | 'platforms';
  readonly outcome: Outcome;
  readonly reason?: Refusal | Unknown;
  readonly message: string;
}

/** Who was found to have signed. */
export interface SignerFact {
  readonly authority: string;
  readonly fingerprint: string;
  readonly issuer?: string;
  readonly subject?: string;
  readonly signedAt?: string;
  /** What it was believed in: who attests what is in an image has not signed it. */
  readonly states: readonly StatementKind[];
}

/** How many components have a licence, as it is written. */
export interface LicenceCount {
  readonly licence: string;
  readonly components: number;
}

/** Whose statement a fact is: the name of the authority. */
interface Stated {
  readonly by: string;
}

/** What was found out on the way, for rules: each of it is what a trusted authority states. */
export interface ImageFacts {
  readonly signers: readonly SignerFact[];
  /** Signers that are not among these, since there are too many, or their names are too long. */
  readonly signersLeftOut?: number;
  /** `level`: as the policy knows the builder. */
  readonly provenance?: Provenance & Stated & { readonly level: number };
  readonly sbom?: Stated & {
    readonly format: string;
    readonly components: number;
    readonly withoutLicence: number;
    readonly licences: readonly LicenceCount[];
    /** Components with licences that are not among these, since there are too many, or they are too long. */
    readonly licencesLeftOut?: number;
  };
  readonly vulnerabilities?: Omit<BudgetOutcome, 'validUntil'> & Stated & { readonly scannedAt: string };
}

/** What a policy says of an image: small, and the same for everybody who asks with the same trust. */
export interface ImageVerdict {
  readonly image: string;
  /** Digest of the policy with all trust that it names. */
  readonly policy: string;
  readonly outcome: Outcome;
  readonly reason?: Refusal | Unknown;
  readonly message: string;
  readonly checks: readonly Check[];
  readonly facts: ImageFacts;
  /** What did not count, and why: a statement by somebody who may not make it. */
  readonly notes: readonly string[];
  readonly checkedAt: string;
  /** When the verdict may be another one without anything having changed but the time. */
  readonly validUntil?: string;
  /** When to ask again what is not known. */
  readonly retryAfterMs?: number;
}

/** The check of a part that did not verify. */
export function failedCheck(name: Check['name'], problem: Refused | NotKnown): Check {
  const outcome = problem.kind === 'refused' ? 'Refused' : 'Unknown';
  return { name, outcome, reason: problem.reason, message: problem.message };
}

/** Of all checks the one that decides: the first refusal, else the first that is not known; undefined where all verified. */
export function decidingCheck(checks: readonly Check[]): Check | undefined {
  return checks.find((one) => one.outcome === 'Refused') ?? checks.find((one) => one.outcome === 'Unknown');
}
