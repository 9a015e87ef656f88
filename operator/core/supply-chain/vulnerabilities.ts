// SPDX-License-Identifier: Apache-2.0
import { baseScoreTenths } from './cvss.ts';
import { asDocument, asList, asText, at, type Document } from './documents.ts';
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
  const scannedAt = scannedAtOf(predicate);
  if (scannedAt === undefined) {
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
  return { kind: 'verified', value: { scanner, scannedAt, findings } };
}

/** When the scan was finished that a report is of, in whatever form the rest of it is; undefined where it does not say. */
export function scannedAtOf(predicate: Document): string | undefined {
  const time = Date.parse(asText(at(predicate, 'metadata', 'scanFinishedOn')) ?? '');
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
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
  const sources = Object.values(asDocument(at(found, 'CVSS')) ?? {});
  const vectors = sources.flatMap((source) =>
    ['V40Vector', 'V3Vector', 'V2Vector'].map((field) => asText(at(source, field))),
  );
  return finding({
    ids: [asText(at(found, 'VulnerabilityID')), ...asList(at(found, 'VendorIDs')).map(asText)],
    purl: asText(at(found, 'PkgIdentifier', 'PURL')),
    words: [asText(at(found, 'Severity'))],
    vectors,
    numbers: sources.flatMap((source) =>
      ['V40Score', 'V3Score', 'V2Score'].map((field) => at(source, field)),
    ),
  });
}

/** The CVE of an advisory, and its score, are in what is related to it. */
function ofGrype(match: unknown): Finding {
  const all = [at(match, 'vulnerability'), ...asList(at(match, 'relatedVulnerabilities'))];
  const scores = all.flatMap((one) => asList(at(one, 'cvss')));
  return finding({
    ids: all.map((one) => asText(at(one, 'id'))),
    purl: asText(at(match, 'artifact', 'purl')),
    words: all.map((one) => asText(at(one, 'severity'))),
    vectors: scores.map((score) => asText(at(score, 'vector'))),
    numbers: scores.map((score) => at(score, 'metrics', 'baseScore')),
  });
}

/** Methods whose numbers are scores of CVSS: others count something else, such as how likely an attack is. */
const SCORING = /cvss|nvd/i;

/** in-toto: severity is a list of methods, each with a word, a vector or a number. */
function ofInToto(found: unknown): Finding {
  const severities = asList(at(found, 'severity'));
  const texts = severities.map((one) => asText(at(one, 'score')));
  const scoring = severities.filter((one) => SCORING.test(asText(at(one, 'method')) ?? ''));
  return finding({
    ids: [asText(at(found, 'id'))],
    purl: undefined,
    words: texts,
    vectors: texts,
    numbers: scoring.map((one) => at(one, 'score')),
  });
}

/** SARIF has one number for a rule, which a result may tell for itself; the worst of all counts that speak of the result. */
function ofSarif(run: unknown): readonly Finding[] {
  const tools = [at(run, 'tool', 'driver'), ...asList(at(run, 'tool', 'extensions'))];
  const scores = new Map<string, number[]>();
  for (const rule of tools.flatMap((tool) => asList(at(tool, 'rules')))) {
    const id = asText(at(rule, 'id')) ?? '';
    scores.set(id, [...(scores.get(id) ?? []), ...securitySeverity(rule)]);
  }
  return asList(at(run, 'results')).map((result) => {
    const id = asText(at(result, 'ruleId')) ?? asText(at(result, 'rule', 'id')) ?? ruleAt(run, result);
    const tenths = Math.max(...(scores.get(id ?? '') ?? []), ...securitySeverity(result));
    const found = finding({ ids: [id], purl: undefined, words: [], vectors: [], numbers: [] });
    return tenths === -Infinity ? found : { ...found, scoreTenths: tenths, severity: ofScore(tenths) };
  });
}

/** A result may name its rule by the place in the list. */
function ruleAt(run: unknown, result: unknown): string | undefined {
  const index = at(result, 'ruleIndex') ?? at(result, 'rule', 'index');
  const rules = asList(at(run, 'tool', 'driver', 'rules'));
  return typeof index === 'number' ? asText(at(rules[index], 'id')) : undefined;
}

function securitySeverity(one: unknown): readonly number[] {
  const tenths = tenthsOf(at(one, 'properties', 'security-severity'));
  return tenths === undefined ? [] : [tenths];
}

/** A number from 0 to 10, as a number or as a text of one, in tenths. */
function tenthsOf(value: unknown): number | undefined {
  const text = typeof value === 'number' ? String(value) : asText(value);
  if (text === undefined || !/^\d{1,2}(?:\.\d{1,16})?$/.test(text)) return undefined;
  const score = Number(text);
  return score <= 10 ? Math.round(score * 10) : undefined;
}

interface Raw {
  readonly ids: readonly (string | undefined)[];
  readonly purl: string | undefined;
  readonly words: readonly (string | undefined)[];
  readonly vectors: readonly (string | undefined)[];
  /** Base scores that the report states. */
  readonly numbers: readonly unknown[];
}

/** The worst of what the report calls it, what its vectors come to, and what it states as scores: none may hide another. */
function finding({ ids, purl = '', words, vectors, numbers }: Raw): Finding {
  const scores = present(
    vectors.map((vector) => (vector === undefined ? undefined : baseScoreTenths(vector))),
  );
  const stated = present(numbers.map(tenthsOf));
  const named = present(words.map((word) => (word === undefined ? undefined : severityOf(word))));
  // A number without a vector may make it worse. That it is low is no reason to take what nobody scored for low.
  const counted = [...scores, ...stated.filter((one) => scores.length + named.length > 0 || one >= MEDIUM)];
  const scoreTenths = counted.length === 0 ? undefined : Math.max(...counted);
  return {
    ids: [...new Set(present(ids))],
    purl,
    severity: worst([...named, ...counted.map(ofScore)]),
    ...(scoreTenths !== undefined && { scoreTenths }),
  };
}

function present<T>(values: readonly (T | undefined)[]): readonly T[] {
  return values.filter((one) => one !== undefined);
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

const MEDIUM = 40;

/** By the bands of CVSS 3 and 4. */
function ofScore(tenths: number): Severity {
  if (tenths >= 90) return 'Critical';
  if (tenths >= 70) return 'High';
  return tenths >= MEDIUM ? 'Medium' : 'Low';
}

const BAD: readonly Severity[] = ['Critical', 'High', 'Medium', 'Low'];

function worst(severities: readonly Severity[]): Severity {
  return BAD.find((severity) => severities.includes(severity)) ?? 'Unscored';
}
