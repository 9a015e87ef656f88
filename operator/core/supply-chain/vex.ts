// SPDX-License-Identifier: Apache-2.0
import { asList, asText, at, type Document } from './documents.ts';
import type { Finding } from './vulnerabilities.ts';

/** What somebody says who looked: this vulnerability does not affect the image. */
export interface Exclusion {
  readonly vulnerability: string;
  /** Packages that it is said of; empty: of the whole image. */
  readonly purls: readonly string[];
}

const MAX_STATEMENTS = 10_000;

/** The exclusions of an OpenVEX document, or of the analysis in a CycloneDX one. Of what is affected, or under investigation, it says nothing. */
export function readVex(predicate: Document): readonly Exclusion[] {
  const statements = asList(predicate['statements']).slice(0, MAX_STATEMENTS).flatMap(ofOpenVex);
  const analysed = asList(predicate['vulnerabilities']).slice(0, MAX_STATEMENTS).flatMap(ofCycloneDx);
  return [...statements, ...analysed];
}

function ofOpenVex(statement: unknown): readonly Exclusion[] {
  const status = asText(at(statement, 'status'));
  if (status !== 'not_affected' && status !== 'fixed') return [];
  // Without a reason it is no statement: the specification asks for one of the two.
  const reason = asText(at(statement, 'justification')) ?? asText(at(statement, 'impact_statement'));
  if (status === 'not_affected' && reason === undefined) return [];
  const names = [
    asText(at(statement, 'vulnerability', 'name')) ?? asText(at(statement, 'vulnerability')),
    ...asList(at(statement, 'vulnerability', 'aliases')).map(asText),
  ];
  const purls = asList(at(statement, 'products')).flatMap((product) =>
    asList(at(product, 'subcomponents')).map(
      (one) => asText(at(one, 'identifiers', 'purl')) ?? asText(at(one, '@id')),
    ),
  );
  return exclusions(names, purls);
}

const NOT_AFFECTED = new Set(['not_affected', 'false_positive', 'resolved', 'resolved_with_pedigree']);

function ofCycloneDx(vulnerability: unknown): readonly Exclusion[] {
  const state = asText(at(vulnerability, 'analysis', 'state'));
  if (state === undefined || !NOT_AFFECTED.has(state)) return [];
  return exclusions(
    [asText(at(vulnerability, 'id'))],
    asList(at(vulnerability, 'affects')).map((one) => asText(at(one, 'ref'))),
  );
}

function exclusions(
  names: readonly (string | undefined)[],
  purls: readonly (string | undefined)[],
): readonly Exclusion[] {
  const named = purls.filter((one) => one !== undefined);
  return names.flatMap((name) => (name === undefined ? [] : [{ vulnerability: name, purls: named }]));
}

/** Whether a finding is excluded: by one of its names, in this package. */
export function isExcluded(finding: Finding, exclusions: readonly Exclusion[]): boolean {
  return exclusions.some(
    ({ vulnerability, purls }) =>
      finding.ids.includes(vulnerability) && (purls.length === 0 || purls.includes(finding.purl)),
  );
}
