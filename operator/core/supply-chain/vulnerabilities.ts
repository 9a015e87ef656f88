// SPDX-License-Identifier: Apache-2.0
import { asDocument, asList, asText, at, type Document } from './documents.ts';
import { type Finding, finding } from './finding.ts';
import { type Judgement, quote, refuse, type Refused } from './judgement.ts';
import { isSarif, ofSarif, sarifProblem } from './sarif.ts';

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
  const problem = formsProblem(result) ?? sarifProblem(result);
  if (problem !== undefined) return problem;
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

/** By what reports say what they are, each with those of its own: Grype, SARIF, Trivy. */
const FORMS = [['matches'], ['runs'], ['Results', 'SchemaVersion']];

/** A report of two forms would be read by one, and what the other tells would be seen by nobody. */
function formsProblem(result: unknown): Refused | undefined {
  const document = asDocument(result);
  if (document === undefined) return undefined;
  const found = FORMS.flatMap((fields) => fields.find((field) => Object.hasOwn(document, field)) ?? []);
  return found.length > 1
    ? refuse(
        'Malformed',
        `the vulnerability report has ${found.join(' and ')}, and can be of one form only: Grype, SARIF or Trivy`,
      )
    : undefined;
}

function findingsOf(result: unknown): readonly Finding[] | undefined {
  if (Array.isArray(result)) return result.map(ofInToto);
  if (Array.isArray(at(result, 'matches'))) return asList(at(result, 'matches')).map(ofGrype);
  if (isSarif(result)) return ofSarif(result);
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
