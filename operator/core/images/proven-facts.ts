// SPDX-License-Identifier: Apache-2.0
import { asDocument, asText, type Document } from '../supply-chain/documents.ts';
import { byKey, componentsOf, toldLicences } from '../supply-chain/told-verdict.ts';
import type { Check, ImageVerdict, LicenceCount, Outcome, SignerFact } from '../supply-chain/verdict.ts';

/** Parts of a policy that are told to rules, each with what it came to. */
export const TOLD_PARTS = ['signatures', 'provenance', 'sbom', 'vulnerabilities'] as const;

/** One of them. */
export type ToldPart = (typeof TOLD_PARTS)[number];

/** What a part of a policy came to. Of what a policy does not ask, nothing is told. */
export interface ToldCheck {
  readonly outcome: Outcome;
  readonly reason?: string;
}

/** Who built an image from what, as `by` states. */
export interface ToldProvenance {
  readonly by: string;
  readonly builder: string;
  readonly buildType: string;
  readonly source: string;
  /** As the policy knows the builder. */
  readonly level: number;
}

/** What an image is made of, as `by` states. */
export interface ToldSbom {
  readonly by: string;
  readonly format: string;
  readonly components: number;
  /** Components that name no licence. */
  readonly withoutLicence: number;
  readonly licences: readonly LicenceCount[];
  /** Components whose licences are not among these, since there are too many, or they are too long to be told. */
  readonly licencesLeftOut: number;
}

/** Vulnerabilities that counted, as `by` states. */
export interface ToldVulnerabilities {
  readonly by: string;
  readonly critical: number;
  readonly high: number;
  readonly medium: number;
  readonly low: number;
  readonly unscored: number;
  readonly excluded: number;
  readonly waived: number;
  readonly scannedAt: string;
}

/** What the authorities that one policy trusts state of an image: small enough to be signed with the verdict, and to be the input of rules. */
export interface ProvenFacts {
  readonly checks: Readonly<Partial<Record<ToldPart, ToldCheck>>>;
  readonly signers: readonly SignerFact[];
  /** Signers that are not told, since there are too many, or their names are too long. */
  readonly signersLeftOut: number;
  readonly provenance?: ToldProvenance;
  readonly sbom?: ToldSbom;
  readonly vulnerabilities?: ToldVulnerabilities;
}

const MAX_SIGNERS = 8;
/** A name that is cut may be another's: a longer one is not told at all. */
const MAX_NAME = 512;

/** What of a verdict is told to rules. */
export function provenFacts({ checks, facts }: Pick<ImageVerdict, 'checks' | 'facts'>): ProvenFacts {
  const short = facts.signers.filter(({ issuer = '', subject = '' }) => isShort(issuer) && isShort(subject));
  const signers = byKey(short).slice(0, MAX_SIGNERS);
  return {
    checks: Object.fromEntries(TOLD_PARTS.flatMap((name) => toldCheck(name, checks))),
    signers,
    signersLeftOut: facts.signers.length + (facts.signersLeftOut ?? 0) - signers.length,
    ...toldProvenance(facts.provenance),
    ...toldSbom(facts.sbom),
    ...toldVulnerabilities(facts.vulnerabilities),
  };
}

function isShort(name: string): boolean {
  return name.length <= MAX_NAME;
}

function toldCheck(name: ToldPart, checks: readonly Check[]): readonly (readonly [ToldPart, ToldCheck])[] {
  const found = checks.find((one) => one.name === name);
  if (found === undefined) return [];
  const { outcome, reason } = found;
  return [[name, { outcome, ...(reason !== undefined && { reason }) }]];
}

type Facts = ImageVerdict['facts'];

function toldProvenance(found: Facts['provenance']): Pick<ProvenFacts, 'provenance'> {
  if (found === undefined) return {};
  const { by, builder, buildType, source, level } = found;
  if (![builder, buildType, source].every(isShort)) return {};
  return { provenance: { by, builder, buildType, source, level } };
}

function toldSbom(found: Facts['sbom']): Pick<ProvenFacts, 'sbom'> {
  if (found === undefined) return {};
  const { by, format, components, withoutLicence, licences, licencesLeftOut: before = 0 } = found;
  const told = toldLicences(licences);
  const licencesLeftOut = before + componentsOf(licences) - componentsOf(told);
  return { sbom: { by, format, components, withoutLicence, licences: told, licencesLeftOut } };
}

function toldVulnerabilities(found: Facts['vulnerabilities']): Pick<ProvenFacts, 'vulnerabilities'> {
  if (found === undefined) return {};
  const { by, excluded, waived, scannedAt } = found;
  const { Critical: critical, High: high, Medium: medium, Low: low, Unscored: unscored } = found.counts;
  return { vulnerabilities: { by, critical, high, medium, low, unscored, excluded, waived, scannedAt } };
}

/** Reads facts that were signed with a proof; undefined of what is none. Who signs them, and only he, says what is in them. */
export function readProvenFacts(value: unknown): ProvenFacts | undefined {
  const facts = asDocument(value);
  const checks = asDocument(facts?.['checks']);
  if (facts === undefined || checks === undefined || !Array.isArray(facts['signers'])) return undefined;
  const parts = [facts['provenance'], facts['sbom'], facts['vulnerabilities']];
  return parts.every(isPart) ? (facts as unknown as ProvenFacts) : undefined;
}

function isPart(value: unknown): boolean {
  if (value === undefined) return true;
  const part: Document | undefined = asDocument(value);
  return part !== undefined && asText(part['by']) !== undefined;
}
