// SPDX-License-Identifier: Apache-2.0
import { baseScoreTenths } from './cvss.ts';
import { asList, asText, at, type Document } from './documents.ts';
import { type Judgement, quote, refuse } from './judgement.ts';
import type { Severity } from './requirement.ts';

/** One vulnerability of one package, whoever found it. */
export interface Finding {
  /** All names of it, so that a waiver of one is a waiver of all. */
  readonly ids: readonly string[];
  /** Package URL; empty where the report has none. */
  readonly purl: string;
  readonly severity: Severity;
  /** The highest base score that the report has, in tenths. */
  readonly scoreTenths?: number;
}

/** A report, brought to one form. */
export interface VulnerabilityReport {
  readonly scanner: string;
  readonly scannedAt: string;
  readonly findings: readonly Finding[];
}

/** Findings of one report: of 10,000 packages, a few thousand. */
const MAX_FINDINGS = 50_000;

/** Reads the predicate of a statement about vulnerabilities: of cosign, with a report of Trivy, Grype or SARIF in it, or that of in-toto. */
export function readVulnerabilities(predicate: Document): Judgement<VulnerabilityReport> {
  const scannedAt = asText(at(predicate, 'metadata', 'scanFinishedOn'));
  if (scannedAt === undefined || Number.isNaN(Date.parse(scannedAt))) {
    return refuse(
      'Malformed',
      'the vulnerability report does not say when the scan was finished (metadata.scanFinishedOn)',
    );
  }
  const result = at(predicate, 'scanner', 'result');
  const findings = findingsOf(result);
  if (findings === undefined) {
    return refuse('Unsupported', 'scanner.result is neither of Trivy, Grype, SARIF nor in-toto');
  }
  if (findings.length > MAX_FINDINGS) {
    return refuse(
      'TooLarge',
      `the vulnerability report has ${findings.length} findings; ${MAX_FINDINGS} are allowed`,
    );
  }
  const bad = findings.find(({ ids }) => ids.length === 0);
  if (bad !== undefined) return refuse('Malformed', `a finding in ${quote(bad.purl)} has no id`);
  const scanner = asText(at(predicate, 'scanner', 'uri')) ?? 'unknown';
  return { kind: 'verified', value: { scanner, scannedAt: new Date(scannedAt).toISOString(), findings } };
}

function findingsOf(result: unknown): readonly Finding[] | undefined {
  if (Array.isArray(result)) return result.map(ofInToto);
  if (Array.isArray(at(result, 'matches'))) return asList(at(result, 'matches')).map(ofGrype);
  if (Array.isArray(at(result, 'runs'))) return asList(at(result, 'runs')).flatMap(ofSarif);
  // Trivy leaves Results out where there is nothing to tell.
  const isTrivy = at(result, 'SchemaVersion') !== undefined || Array.isArray(at(result, 'Results'));
  return isTrivy
    ? asList(at(result, 'Results')).flatMap((one) => asList(at(one, 'Vulnerabilities')).map(ofTrivy))
    : undefined;
}

function ofTrivy(found: unknown): Finding {
  const vectors = Object.values((at(found, 'CVSS') as Document | undefined) ?? {}).flatMap((source) =>
    ['V40Vector', 'V3Vector', 'V2Vector'].map((field) => asText(at(source, field))),
  );
  return finding({
    ids: [asText(at(found, 'VulnerabilityID')), ...asList(at(found, 'VendorIDs')).map(asText)],
    purl: asText(at(found, 'PkgIdentifier', 'PURL')),
    severity: asText(at(found, 'Severity')),
    vectors,
  });
}

/** The CVE of an advisory, and its score, are in what is related to it. */
function ofGrype(match: unknown): Finding {
  const all = [at(match, 'vulnerability'), ...asList(at(match, 'relatedVulnerabilities'))];
  return finding({
    ids: all.map((one) => asText(at(one, 'id'))),
    purl: asText(at(match, 'artifact', 'purl')),
    severity: asText(at(match, 'vulnerability', 'severity')),
    vectors: all.flatMap((one) => asList(at(one, 'cvss')).map((score) => asText(at(score, 'vector')))),
  });
}

/** in-toto: severity is a list of methods, each with a score or a vector. */
function ofInToto(found: unknown): Finding {
  const severities = asList(at(found, 'severity'));
  const texts = severities.map((one) => asText(at(one, 'score')));
  return finding({
    ids: [asText(at(found, 'id'))],
    purl: undefined,
    severity: texts.find((text) => text !== undefined && severityOf(text) !== undefined),
    vectors: texts,
  });
}

function ofSarif(run: unknown): readonly Finding[] {
  const rules = new Map(
    asList(at(run, 'tool', 'driver', 'rules')).map((rule) => [asText(at(rule, 'id')), rule]),
  );
  return asList(at(run, 'results')).map((result) => {
    const id = asText(at(result, 'ruleId'));
    const score = Number(asText(at(rules.get(id), 'properties', 'security-severity')));
    const tenths = Number.isFinite(score) && score >= 0 && score <= 10 ? Math.round(score * 10) : undefined;
    const found = finding({ ids: [id], purl: undefined, severity: undefined, vectors: [] });
    return tenths === undefined ? found : { ...found, scoreTenths: tenths, severity: ofScore(tenths) };
  });
}

interface Raw {
  readonly ids: readonly (string | undefined)[];
  readonly purl: string | undefined;
  readonly severity: string | undefined;
  readonly vectors: readonly (string | undefined)[];
}

/** The worse of what the report calls it and what its vectors come to: neither may hide the other. */
function finding({ ids, purl = '', severity, vectors }: Raw): Finding {
  const scores = vectors.flatMap((vector) => {
    const score = vector === undefined ? undefined : baseScoreTenths(vector);
    return score === undefined ? [] : [score];
  });
  const scoreTenths = scores.length === 0 ? undefined : Math.max(...scores);
  const named = severity === undefined ? undefined : severityOf(severity);
  const scored = scoreTenths === undefined ? undefined : ofScore(scoreTenths);
  return {
    ids: [...new Set(ids.filter((id) => id !== undefined))],
    purl,
    severity: worse(named, scored),
    ...(scoreTenths !== undefined && { scoreTenths }),
  };
}

const WORDS: Readonly<Record<string, Severity>> = {
  critical: 'Critical',
  high: 'High',
  medium: 'Medium',
  moderate: 'Medium',
  low: 'Low',
  negligible: 'Low',
};

function severityOf(word: string): Severity | undefined {
  const lower = word.toLowerCase();
  return Object.hasOwn(WORDS, lower) ? WORDS[lower] : undefined;
}

/** By the bands of CVSS 3 and 4. */
function ofScore(tenths: number): Severity {
  if (tenths >= 90) return 'Critical';
  if (tenths >= 70) return 'High';
  return tenths >= 40 ? 'Medium' : 'Low';
}

const BAD: readonly Severity[] = ['Critical', 'High', 'Medium', 'Low'];

function worse(one: Severity | undefined, other: Severity | undefined): Severity {
  return BAD.find((severity) => severity === one || severity === other) ?? 'Unscored';
}
