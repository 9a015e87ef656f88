// SPDX-License-Identifier: Apache-2.0
import { asList, asText, at, type Document } from './documents.ts';
import { type Judgement, quote, refuse, type Refused } from './judgement.ts';
import type { SbomAsked } from './requirement.ts';
import type { LicenceCount } from './verdict.ts';

/** A part of an image. */
export interface Component {
  readonly name: string;
  readonly purl: string;
  /** SPDX identifiers and expressions; empty where nothing is said. */
  readonly licences: readonly string[];
}

/** A bill of materials, brought to one form. */
export interface Sbom {
  readonly format: string;
  readonly components: readonly Component[];
}

const MAX_COMPONENTS = 100_000;
const CYCLONEDX = new Set(['1.4', '1.5', '1.6', '1.7']);
const SPDX = new Set(['SPDX-2.2', 'SPDX-2.3']);

/**
 * Reads a bill of materials in JSON: CycloneDX 1.4 to 1.7, SPDX 2.2, 2.3 and 3.0. Whether one in CycloneDX fits its schema is for others; of
 * SPDX it is looked at that there is a list of packages, in which each has a name and none is twice.
 */
export function readSbom(predicate: Document): Judgement<Sbom> {
  const sbom = cycloneDx(predicate) ?? spdx2(predicate) ?? spdx3(predicate);
  if (sbom === undefined) {
    // What is no JSON, signers put into a text.
    if (asText(predicate['Data']) !== undefined) {
      return refuse(
        'Unsupported',
        'the bill of materials is a text that is no XML; wanted is CycloneDX in JSON or XML, or SPDX in JSON',
      );
    }
    const found = asText(predicate['specVersion']) ?? asText(predicate['spdxVersion']) ?? '';
    return refuse(
      'Unsupported',
      `the bill of materials is of version ${quote(found)}; CycloneDX 1.4 to 1.7 and SPDX 2.2, 2.3 and 3.0 are read`,
    );
  }
  const { length } = sbom.components;
  return length > MAX_COMPONENTS
    ? refuse('TooLarge', `the bill of materials has ${length} components; ${MAX_COMPONENTS} are allowed`)
    : (listProblem(predicate) ?? checked(sbom));
}

/** What of a document in SPDX is no list of packages, each once. */
function listProblem(predicate: Document): Refused | undefined {
  if (predicate['bomFormat'] === 'CycloneDX') return undefined;
  const [list, id] =
    asText(predicate['spdxVersion']) === undefined ? ['@graph', 'spdxId'] : ['packages', 'SPDXID'];
  if (!Array.isArray(predicate[list])) {
    return refuse('SbomInvalid', `the bill of materials has no list ${list}`);
  }
  const seen = new Set<string>();
  for (const one of predicate[list]) {
    const found = asText(at(one, id));
    if (found !== undefined && seen.has(found)) {
      return refuse('SbomInvalid', `${list} of the bill of materials has ${quote(found)} twice`);
    }
    if (found !== undefined) seen.add(found);
  }
  return undefined;
}

function checked(sbom: Sbom): Judgement<Sbom> {
  const nameless = sbom.components.findIndex(({ name }) => name === '');
  return nameless === -1
    ? { kind: 'verified', value: sbom }
    : refuse('SbomInvalid', `component ${nameless} of the bill of materials has no name`);
}

function cycloneDx(predicate: Document): Sbom | undefined {
  const version = asText(predicate['specVersion']) ?? '';
  if (predicate['bomFormat'] !== 'CycloneDX' || !CYCLONEDX.has(version)) return undefined;
  const components: Component[] = [];
  // Components may be nested; documents are no deeper than they may be.
  const pending = [...asList(predicate['components'])];
  while (pending.length > 0 && components.length <= MAX_COMPONENTS) {
    const one = pending.pop();
    components.push({
      name: asText(at(one, 'name')) ?? '',
      purl: asText(at(one, 'purl')) ?? '',
      licences: asList(at(one, 'licenses')).flatMap(licenceOf),
    });
    // One by one: there may be more of them than a call has room for.
    for (const inner of asList(at(one, 'components'))) pending.push(inner);
  }
  return { format: `CycloneDX ${version}`, components };
}

function licenceOf(choice: unknown): readonly string[] {
  const found =
    asText(at(choice, 'expression')) ??
    asText(at(choice, 'license', 'id')) ??
    asText(at(choice, 'license', 'name'));
  return found === undefined ? [] : [found];
}

const NOTHING = new Set(['NOASSERTION', 'NONE']);

function spdx2(predicate: Document): Sbom | undefined {
  const version = asText(predicate['spdxVersion']) ?? '';
  if (!SPDX.has(version)) return undefined;
  const components = asList(predicate['packages']).map((one) => {
    const concluded = [asText(at(one, 'licenseConcluded')), asText(at(one, 'licenseDeclared'))];
    const licence = concluded.find((text) => text !== undefined && !NOTHING.has(text));
    const purl = asList(at(one, 'externalRefs')).find((ref) => at(ref, 'referenceType') === 'purl');
    return {
      name: asText(at(one, 'name')) ?? '',
      purl: asText(at(purl, 'referenceLocator')) ?? '',
      licences: licence === undefined ? [] : [licence],
    };
  });
  return { format: version.replace('-', ' '), components };
}

/** SPDX 3 is a graph: packages, and relationships that lead to their licences. */
function spdx3(predicate: Document): Sbom | undefined {
  const context = asText(predicate['@context']) ?? '';
  const version = /^https:\/\/spdx\.org\/rdf\/(3\.0(?:\.\d+)?)\//.exec(context)?.[1];
  if (version === undefined) return undefined;
  const graph = asList(predicate['@graph']);
  const expressions = new Map(
    graph.map((one) => [
      asText(at(one, 'spdxId')) ?? '',
      asText(at(one, 'simplelicensing_licenseExpression')),
    ]),
  );
  const licences = licencesOf(graph, expressions);
  const components = graph
    .filter((one) => at(one, 'type') === 'software_Package')
    .map((one) => ({
      name: asText(at(one, 'name')) ?? '',
      purl: asText(at(one, 'software_packageUrl')) ?? '',
      licences: licences.get(asText(at(one, 'spdxId')) ?? '') ?? [],
    }));
  return { format: `SPDX ${version}`, components };
}

function licencesOf(
  graph: readonly unknown[],
  expressions: ReadonlyMap<string, string | undefined>,
): ReadonlyMap<string, readonly string[]> {
  const licences = new Map<string, readonly string[]>();
  for (const one of graph) {
    const type = asText(at(one, 'relationshipType')) ?? '';
    const from = asText(at(one, 'from'));
    if (from === undefined || !/^has(Concluded|Declared)License$/.test(type)) continue;
    const found = asList(at(one, 'to')).flatMap((to) => expressions.get(asText(to) ?? '') ?? []);
    licences.set(from, [...(licences.get(from) ?? []), ...found]);
  }
  return licences;
}

/** Whether all components have licences that are allowed. */
export function hasAllowedLicences(sbom: Sbom, asked: SbomAsked): Judgement<Sbom> {
  const { allowedLicences, deniedLicences } = asked;
  for (const { name, licences } of sbom.components) {
    const wrong = licences.find((one) => !isAllowed(one, { allowedLicences, deniedLicences }));
    if (wrong !== undefined) {
      return refuse('LicenceNotAllowed', `component ${quote(name)} has licence ${quote(wrong)}`);
    }
    if (allowedLicences.length > 0 && licences.length === 0) {
      return refuse(
        'LicenceNotAllowed',
        `component ${quote(name)} names no licence, and only some are allowed`,
      );
    }
  }
  return { kind: 'verified', value: sbom };
}

/** Of an expression with AND all have to be allowed, of one with OR one of them. Parentheses are not taken apart: all in them have to be. */
function isAllowed(
  expression: string,
  { allowedLicences, deniedLicences }: Pick<SbomAsked, 'allowedLicences' | 'deniedLicences'>,
): boolean {
  const isOne = (identifier: string): boolean =>
    !deniedLicences.includes(identifier) &&
    (allowedLicences.length === 0 || allowedLicences.includes(identifier));
  const words = expression.split(/[\s()]+/).filter((word) => word !== '');
  const joiners = new Set<string>(words.filter((word) => word === 'AND' || word === 'OR' || word === 'WITH'));
  const identifiers = words.filter((word, index) => !joiners.has(word) && words[index - 1] !== 'WITH');
  if (identifiers.length === 0) return false;
  return joiners.has('OR') && !joiners.has('AND') ? identifiers.some(isOne) : identifiers.every(isOne);
}

/** A bill of materials in short: how many components there are, and of which licences, the most frequent first. */
export function sbomSummary({ format, components }: Sbom): {
  readonly format: string;
  readonly components: number;
  readonly withoutLicence: number;
  readonly licences: readonly LicenceCount[];
} {
  const counts = new Map<string, number>();
  for (const { licences } of components)
    for (const one of new Set(licences)) counts.set(one, (counts.get(one) ?? 0) + 1);
  const counted = [...counts].map(([licence, count]) => ({ licence, components: count }));
  return {
    format,
    components: components.length,
    withoutLicence: components.filter(({ licences }) => licences.length === 0).length,
    licences: counted.toSorted(
      (one, other) => other.components - one.components || (one.licence < other.licence ? -1 : 1),
    ),
  };
}
