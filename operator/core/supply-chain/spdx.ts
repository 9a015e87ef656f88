// SPDX-License-Identifier: Apache-2.0
import type { Component, Sbom } from './bill.ts';
import { asDocument, asList, asText, at, type Document } from './documents.ts';
import { quote, refuse, type Refused } from './judgement.ts';

const VERSIONS = new Set(['SPDX-2.2', 'SPDX-2.3']);
const NOTHING = new Set(['NOASSERTION', 'NONE']);

/**
 * What of a document in SPDX would be read as less than it says; undefined where nothing is. That one of SPDX 2 fits its schema is looked at elsewhere:
 * what no schema says is that nothing is twice.
 */
export function spdxProblem(predicate: Document): Refused | undefined {
  const isSecond = asText(predicate['spdxVersion']) !== undefined;
  const [list, id] = isSecond ? ['packages', 'SPDXID'] : ['@graph', 'spdxId'];
  const entries: unknown = predicate[list];
  if (!Array.isArray(entries)) return refuse('SbomInvalid', `the bill of materials has no list ${list}`);
  for (const [index, one] of entries.entries()) {
    const fault = asDocument(one) === undefined ? 'is no object' : elementFault(one);
    if (fault !== undefined)
      return refuse('SbomInvalid', `${list}[${index}] of the bill of materials ${fault}`);
  }
  const twice = firstTwice(entries.map((one) => asText(at(one, id))));
  return twice === undefined
    ? undefined
    : refuse('SbomInvalid', `${list} of the bill of materials has ${quote(twice)} twice`);
}

function firstTwice(ids: readonly (string | undefined)[]): string | undefined {
  const seen = new Set<string>();
  for (const id of ids) {
    if (id === undefined) continue;
    if (seen.has(id)) return id;
    seen.add(id);
  }
  return undefined;
}

function elementFault(one: unknown): string | undefined {
  if (!isLicensing(one)) return undefined;
  if (idOf(at(one, 'from')) === undefined) return 'is about a licence, and not from an element';
  const odd = each(at(one, 'to')).find((to) => idOf(to) === undefined && expressionOf(to) === undefined);
  return odd === undefined ? undefined : 'is about a licence, and leads to no element';
}

/** What SPDX 2 tells of parts; undefined of what is none. */
export function spdx2(predicate: Document): Sbom | undefined {
  const version = asText(predicate['spdxVersion']) ?? '';
  if (!VERSIONS.has(version)) return undefined;
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

/** Kinds of elements of SPDX 3 that are packages. */
const PACKAGES: ReadonlySet<unknown> = new Set([
  'software_Package',
  'ai_AIPackage',
  'dataset_DatasetPackage',
]);

/** What SPDX 3 tells: it is a graph of packages, and of relationships that lead to their licences. */
export function spdx3(predicate: Document): Sbom | undefined {
  const context = asText(predicate['@context']) ?? '';
  const version = /^https:\/\/spdx\.org\/rdf\/(3\.0(?:\.\d+)?)\//.exec(context)?.[1];
  if (version === undefined) return undefined;
  const graph = asList(predicate['@graph']);
  const licences = licencesOf(graph);
  const components = graph
    .filter((one) => PACKAGES.has(at(one, 'type')))
    .map(
      (one): Component => ({
        name: asText(at(one, 'name')) ?? '',
        purl: asText(at(one, 'software_packageUrl')) ?? '',
        ...(licences.get(asText(at(one, 'spdxId')) ?? '') ?? NONE),
      }),
    );
  return { format: `SPDX ${version}`, components };
}

interface Licences {
  readonly licences: string[];
  readonly untold: string[];
}

const NONE: Pick<Component, 'licences'> = { licences: [] };

function licencesOf(graph: readonly unknown[]): ReadonlyMap<string, Licences> {
  const expressions = new Map<string, string>();
  for (const one of graph) {
    const [id, expression] = [idOf(one), expressionOf(one)];
    if (id !== undefined && expression !== undefined) expressions.set(id, expression);
  }
  const found = new Map<string, Licences>();
  for (const one of graph.filter(isLicensing)) {
    const from = idOf(at(one, 'from')) ?? '';
    const told = found.get(from) ?? { licences: [], untold: [] };
    for (const to of each(at(one, 'to'))) tell(told, to, expressions);
    found.set(from, told);
  }
  return found;
}

/** A licence of the list has no element: its address, or that of its page, is its name. */
const LISTED = /^https?:\/\/spdx\.org\/licenses\/([A-Za-z0-9.+-]{1,128}?)(?:\.(?:html|json))?$/;
/** That nothing is said, or that there is none. */
const UNSAID =
  /^(?:https?:\/\/spdx\.org\/rdf\/[\w./-]{1,128}\/|[a-z]{1,32}_)?(?:NoAssertion|None)(?:License|Element)$/;

function tell({ licences, untold }: Licences, to: unknown, expressions: ReadonlyMap<string, string>): void {
  const id = idOf(to) ?? '';
  const expression = expressionOf(to) ?? expressions.get(id) ?? LISTED.exec(id)?.[1];
  if (expression === undefined) {
    if (!UNSAID.test(id)) untold.push(id);
  } else if (!NOTHING.has(expression)) licences.push(expression);
}

function isLicensing(one: unknown): boolean {
  return /^has(Concluded|Declared)License$/.test(asText(at(one, 'relationshipType')) ?? '');
}

function expressionOf(one: unknown): string | undefined {
  return asText(at(one, 'simplelicensing_licenseExpression'));
}

/** Of an element, or of what names one. */
function idOf(one: unknown): string | undefined {
  return asText(one) ?? asText(at(one, 'spdxId')) ?? asText(at(one, '@id'));
}

/** One thing may stand for a list of it. */
function each(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}
