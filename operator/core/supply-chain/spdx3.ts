// SPDX-License-Identifier: Apache-2.0
import type { Component, Sbom } from './bill.ts';
import { asDocument, asText, at, type Document } from './documents.ts';
import { type Judgement, quote, refuse } from './judgement.ts';
import { firstTwice } from './spdx.ts';
import { CLASSES, RELATIONSHIPS } from './spdx3-names.ts';

/** Kinds of elements that are packages. */
const PACKAGES: ReadonlySet<unknown> = new Set([
  'software_Package',
  'ai_AIPackage',
  'dataset_DatasetPackage',
]);
const NOTHING = new Set(['NOASSERTION', 'NONE']);

/**
 * Reads SPDX 3.0: a graph of packages, and of relationships that lead to their licences; undefined of what is none. An element stands by itself in the
 * graph, or at any place where another one names it: the library of the SPDX project writes both, and, of what all hangs together, no graph at all.
 * What would be read as less than it says is `SbomInvalid`.
 */
export function spdx3(predicate: Document): Judgement<Sbom> | undefined {
  const context = asText(predicate['@context']) ?? '';
  const version = /^https:\/\/spdx\.org\/rdf\/(3\.0(?:\.\d+)?)\//.exec(context)?.[1];
  if (version === undefined) return undefined;
  const elements: Document[] = [];
  for (const { place, value } of topOf(predicate)) {
    const fault = gather(value, elements);
    if (fault !== undefined) return refuse('SbomInvalid', `${place} ${fault}`);
  }
  const twice = firstTwice(elements.map(idOf));
  if (twice !== undefined) {
    return refuse('SbomInvalid', `@graph of the bill of materials has ${quote(twice)} twice`);
  }
  const nobody = licensedUnseen(elements);
  if (nobody !== undefined) {
    const what = `the bill of materials states a licence of ${quote(nobody)}`;
    return refuse('SbomInvalid', `${what}, which is no element of it, nor one that it imports`);
  }
  return { kind: 'verified', value: { format: `SPDX ${version}`, components: componentsOf(elements) } };
}

/** What stands at the top of a document: what is in its graph, or the one element that it is, with all others within it. */
function topOf(predicate: Document): readonly { readonly place: string; readonly value: unknown }[] {
  const graph: unknown = predicate['@graph'];
  const { '@context': _, ...own } = predicate;
  const isGraph = Object.hasOwn(predicate, '@graph') && Object.keys(own).length === 1;
  if (!isGraph || !Array.isArray(graph)) return [{ place: 'the bill of materials', value: own }];
  return graph.map((value: unknown, index) => ({
    place: `@graph[${index}] of the bill of materials`,
    value,
  }));
}

/** Adds an element with all that are within it, and says what is wrong with one of them; undefined where nothing is. */
function gather(top: unknown, elements: Document[]): string | undefined {
  const pending = [top];
  while (pending.length > 0) {
    const one = asDocument(pending.pop());
    const fault = one === undefined ? 'is no object' : elementFault(one);
    if (one === undefined || fault !== undefined) return fault;
    elements.push(one);
    addWithin(one, pending);
  }
  return undefined;
}

/** Adds all that is told in fields of an element. One by one: there may be more of them than a call has room for. */
function addWithin(one: Document, pending: unknown[]): void {
  for (const field of Object.keys(one)) {
    const value = one[field];
    // Extensions are of others, and in their words.
    if (typeof value !== 'object' || field === 'extension') continue;
    for (const inner of each(value)) if (isWithin(inner)) pending.push(inner);
  }
}

/** Whether something is told within something else: what is only named there has its id, and nothing more. */
function isWithin(value: unknown): boolean {
  const one = asDocument(value);
  if (one === undefined) return Array.isArray(value);
  const fields = Object.keys(one);
  return fields.length !== 1 || !['spdxId', '@id'].includes(fields[0] ?? '');
}

/** What nobody knows is not taken for something else: a package of a class that is spelt otherwise would be none. */
function elementFault(one: Document): string | undefined {
  const type = asText(one['type']);
  if (type === undefined) return 'has no type, or something within it has none';
  if (!CLASSES.has(type)) return `is, or has within it, of type ${quote(type)}, which SPDX 3.0 does not have`;
  if (Object.hasOwn(one, 'spdxId') && Object.hasOwn(one, '@id')) return 'has two ids';
  return Object.hasOwn(one, 'relationshipType') ? relationshipFault(one) : undefined;
}

function relationshipFault(one: Document): string | undefined {
  const said = asText(one['relationshipType']) ?? '';
  if (!RELATIONSHIPS.has(said)) return `says ${quote(said)}, which no relationship of SPDX 3.0 does`;
  return isLicensing(one) ? licensingFault(one) : undefined;
}

function licensingFault(one: Document): string | undefined {
  if (idOf(one['from']) === undefined) return 'is about a licence, and not from an element';
  const odd = each(one['to']).some((to) => idOf(to) === undefined && expressionOf(to) === undefined);
  return odd ? 'is about a licence, and leads to no element' : undefined;
}

/** Of what a licence is stated that is neither there nor said to be in another document; undefined where there is none. By a slip in an id it would be of nobody. */
function licensedUnseen(elements: readonly Document[]): string | undefined {
  const known = new Set<unknown>(elements.map(idOf));
  for (const one of elements) if (one['type'] === 'ExternalMap') known.add(asText(one['externalSpdxId']));
  return elements
    .filter(isLicensing)
    .map((one) => idOf(one['from']))
    .find((from) => !known.has(from));
}

function componentsOf(elements: readonly Document[]): readonly Component[] {
  const licences = licencesOf(elements);
  return elements
    .filter((one) => PACKAGES.has(one['type']))
    .map(
      (one): Component => ({
        name: asText(one['name']) ?? '',
        purl: asText(one['software_packageUrl']) ?? '',
        ...(licences.get(idOf(one) ?? '') ?? NONE),
      }),
    );
}

interface Licences {
  readonly licences: string[];
  readonly untold: string[];
}

const NONE: Pick<Component, 'licences'> = { licences: [] };

function licencesOf(graph: readonly Document[]): ReadonlyMap<string, Licences> {
  const expressions = new Map<string, string>();
  for (const one of graph) {
    const [id, expression] = [idOf(one), expressionOf(one)];
    if (id !== undefined && expression !== undefined) expressions.set(id, expression);
  }
  const found = new Map<string, Licences>();
  for (const one of graph.filter(isLicensing)) {
    const from = idOf(one['from']) ?? '';
    const told = found.get(from) ?? { licences: [], untold: [] };
    for (const to of each(one['to'])) tell(told, to, expressions);
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

function isLicensing(one: Document): boolean {
  return /^has(Concluded|Declared)License$/.test(asText(one['relationshipType']) ?? '');
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
