// SPDX-License-Identifier: Apache-2.0
import { SIGNATURE_PREDICATE } from './statement.ts';

/** Kinds of statements that are asked for by a short name, each with the predicate types that are one. */
export const PREDICATES = {
  signature: [SIGNATURE_PREDICATE],
  provenance: ['https://slsa.dev/provenance/v1', 'https://slsa.dev/provenance/v0.2'],
  sbom: [
    'https://cyclonedx.org/bom',
    'https://spdx.dev/Document',
    'https://spdx.dev/Document/v2.3',
    'https://spdx.dev/Document/v3',
  ],
  vulnerabilities: [
    'https://cosign.sigstore.dev/attestation/vuln/v1',
    'https://in-toto.io/attestation/vulns/v0.2',
    'https://in-toto.io/attestation/vulns/v0.1',
    'https://in-toto.io/attestation/vulns',
  ],
  vex: ['https://openvex.dev/ns', 'https://openvex.dev/ns/v0.2.0', 'https://cyclonedx.org/vex'],
} as const satisfies Record<string, readonly string[]>;

/** The short name of a kind of statement. */
export type StatementKind = keyof typeof PREDICATES;

/** Severities, the worst first. Unscored is a class of its own: a threshold on scores would let it pass. */
export const SEVERITIES = ['Critical', 'High', 'Medium', 'Low', 'Unscored'] as const;

/** How bad a vulnerability is. */
export type Severity = (typeof SEVERITIES)[number];

/** Statements that are asked for, of so many of these authorities. */
export interface Asked {
  readonly from: readonly string[];
  readonly threshold: number;
}

/** Who may have built an image, and from what. */
export interface ProvenanceAsked extends Asked {
  readonly builders: readonly { readonly id: string; readonly level: number }[];
  /** Repositories, as `https://host/path`; empty: any. */
  readonly sources: readonly string[];
  readonly minLevel: number;
}

/** What a bill of materials may hold. */
export interface SbomAsked extends Asked {
  /** SPDX identifiers, each matched as a whole; empty: any. */
  readonly allowedLicences: readonly string[];
  readonly deniedLicences: readonly string[];
}

/** How many vulnerabilities an image may have. */
export interface VulnerabilitiesAsked extends Asked {
  readonly maxAgeSeconds: number;
  /** The most of each severity; a severity that is not named is not limited. */
  readonly budget: Readonly<Partial<Record<Severity, number>>>;
  /** The highest base score that one may have, in tenths; undefined: any. */
  readonly maxScoreTenths?: number;
  /** Whose word counts that an image is not affected. */
  readonly vexFrom: readonly string[];
}

/** What is asked of an image. */
export interface Requirement {
  readonly signatures?: Asked;
  readonly provenance?: ProvenanceAsked;
  readonly sbom?: SbomAsked;
  readonly vulnerabilities?: VulnerabilitiesAsked;
}

/** The risk of one vulnerability taken by somebody, for a time. */
export interface Waiver {
  readonly name: string;
  readonly vulnerability: string;
  /** The package it is waived in; undefined: in any. */
  readonly purl?: string;
  /** A later rescoring above this is not covered, in tenths. */
  readonly maxScoreTenths?: number;
  readonly notBefore?: string;
  readonly expires: string;
}

/** Whether a predicate type is one of a kind. */
export function isOfKind(predicateType: string, kind: StatementKind): boolean {
  return (PREDICATES[kind] as readonly string[]).includes(predicateType);
}
