// SPDX-License-Identifier: Apache-2.0
import { asList, asText, at, type Document } from './documents.ts';
import { type Judgement, refuse } from './judgement.ts';
import { ofProduct, ofReference, type Scope, scopeOf } from './vex-scope.ts';

/** What somebody says who looked: whether this vulnerability affects the image. */
export interface Assessment {
  /** Any of its names. Empty where a statement takes back and does not say what: then it may be any. */
  readonly vulnerability: string;
  /** Packages that it is said of; empty: of the whole image. */
  readonly purls: readonly string[];
  /** Whether it does not. Otherwise it does, or that is not known yet. */
  readonly excludes: boolean;
  /** When it was said, in ms; undefined where nothing tells. */
  readonly saidAtMs?: number;
  /** Where it stands in its document, if what comes later there is meant to count. */
  readonly place: number;
}

/** Statements of one document: of 10,000 packages, a few thousand. */
const MAX_STATEMENTS = 50_000;

/**
 * What an OpenVEX document, or the analysis in a CycloneDX one, says that is of `image`. What excuses and names something that is neither the image nor a
 * package is of nothing, and what takes back is of all that it may be of: whoever writes that less precisely is not heard less. What is said against
 * the rules of its form is not said.
 */
export function readVex(predicate: Document, image: string): Judgement<readonly Assessment[]> {
  const statements = asList(predicate['statements']);
  const analysed = asList(predicate['vulnerabilities']);
  const odd = ['statements', 'vulnerabilities'].find((field) => !isListed(predicate[field]));
  if (odd !== undefined) return refuse('Malformed', `its ${odd} are no list`);
  const count = statements.length + analysed.length;
  if (count > MAX_STATEMENTS) {
    return refuse('TooLarge', `it has ${count} statements; ${MAX_STATEMENTS} are allowed`);
  }
  const issuedAt = timeOf(predicate, 'last_updated', 'timestamp');
  const components = componentsOf(predicate);
  const madeAt = timeOf(predicate['metadata'], 'timestamp');
  const value = [
    ...statements.flatMap((one, place) => ofOpenVex(one, { image, issuedAt, place })),
    ...analysed.flatMap((one) => ofCycloneDx(one, { components, image, madeAt })),
  ];
  return { kind: 'verified', value };
}

/** Who has nothing to list may write null. What is there and is no list says nothing that is seen. */
function isListed(value: unknown): boolean {
  return value === undefined || value === null || Array.isArray(value);
}

/** The first of these fields that is a time, in ms. */
function timeOf(value: unknown, ...fields: readonly string[]): number | undefined {
  const times = fields.map((field) => Date.parse(asText(at(value, field)) ?? ''));
  return times.find((time) => !Number.isNaN(time));
}

const EXCLUDING = new Set(['not_affected', 'fixed']);
const OPEN = new Set(['affected', 'under_investigation']);

interface OpenVexCase {
  readonly image: string;
  /** Of the document: statements without a time of their own are of that one. */
  readonly issuedAt: number | undefined;
  readonly place: number;
}

function ofOpenVex(statement: unknown, { image, issuedAt, place }: OpenVexCase): readonly Assessment[] {
  const status = asText(at(statement, 'status')) ?? '';
  if (!EXCLUDING.has(status) && !OPEN.has(status)) return [];
  // Without a reason it is no statement: the specification asks for one of the two.
  const reason = asText(at(statement, 'justification')) ?? asText(at(statement, 'impact_statement'));
  if (status === 'not_affected' && reason === undefined) return [];
  const excludes = EXCLUDING.has(status);
  const reading = { image, excludes };
  const parts = at(statement, 'subcomponents');
  const scope = scopeOf(at(statement, 'products'), reading, (one) => ofProduct(one, { parts, reading }));
  const saidAtMs = timeOf(statement, 'last_updated', 'timestamp') ?? issuedAt;
  return assessments(namesIn(at(statement, 'vulnerability'), excludes), scope, {
    excludes,
    place,
    ...(saidAtMs !== undefined && { saidAtMs }),
  });
}

function namesIn(vulnerability: unknown, excludes: boolean): readonly string[] {
  const aliases = at(vulnerability, 'aliases');
  const names = [asText(at(vulnerability, 'name')) ?? asText(vulnerability), ...asList(aliases).map(asText)];
  return excludes ? present(names) : anyNames([...names, asText(aliases), asText(at(vulnerability, '@id'))]);
}

const NOT_AFFECTED = new Set(['not_affected', 'false_positive', 'resolved', 'resolved_with_pedigree']);
const AFFECTED = new Set(['exploitable', 'in_triage']);

interface CycloneDxCase {
  readonly components: ReadonlyMap<string, unknown>;
  readonly image: string;
  readonly madeAt: number | undefined;
}

function ofCycloneDx(
  vulnerability: unknown,
  { components, image, madeAt }: CycloneDxCase,
): readonly Assessment[] {
  const state = asText(at(vulnerability, 'analysis', 'state')) ?? '';
  if (!NOT_AFFECTED.has(state) && !AFFECTED.has(state)) return [];
  const excludes = NOT_AFFECTED.has(state);
  const reading = { image, excludes };
  const scope = scopeOf(at(vulnerability, 'affects'), reading, (one) => {
    const ref = asText(at(one, 'ref')) ?? '';
    return ofReference(components.get(ref) ?? ref, reading);
  });
  const saidAtMs = analysedAt(at(vulnerability, 'analysis'), madeAt);
  const names = [asText(at(vulnerability, 'id'))];
  const others = asList(at(vulnerability, 'references')).map((one) => asText(at(one, 'id')));
  // Its vulnerabilities are a set: nothing in it is later than the rest.
  return assessments(excludes ? present(names) : anyNames([...names, ...others]), scope, {
    excludes,
    place: 0,
    ...(saidAtMs !== undefined && { saidAtMs }),
  });
}

/** When an analysis was last changed, in ms. When it was first issued stays while its state changes: the document tells more where it is newer. */
function analysedAt(analysis: unknown, madeAt: number | undefined): number | undefined {
  const updatedAt = timeOf(analysis, 'lastUpdated');
  if (updatedAt !== undefined) return updatedAt;
  const issuedAt = timeOf(analysis, 'firstIssued');
  return issuedAt === undefined || madeAt === undefined ? (issuedAt ?? madeAt) : Math.max(issuedAt, madeAt);
}

/** Components, and those within them, by the name that they are referred to by. */
function componentsOf(predicate: Document): ReadonlyMap<string, unknown> {
  const all = [at(predicate, 'metadata', 'component'), ...asList(predicate['components'])];
  // What is added is gone through as well; documents are no deeper than they may be.
  for (const one of all) for (const inner of asList(at(one, 'components'))) all.push(inner);
  return new Map(
    all.flatMap((one): [string, unknown][] => {
      const ref = asText(at(one, 'bom-ref'));
      return ref === undefined ? [] : [[ref, one]];
    }),
  );
}

function present(texts: readonly (string | undefined)[]): readonly string[] {
  return texts.filter((one) => one !== undefined);
}

/** Of what is read as a name, in characters. */
const LONGEST_NAME = 2048;

/** Names may have colons of their own, and may stand behind one. */
const PARTS = [/[\s/?#=&,;]+/, /[\s/:?#=&,;]+/];

/** What is taken back, by all that it may be called: the address of a page has the name somewhere in it. Without any name it may be anything. */
function anyNames(told: readonly (string | undefined)[]): readonly string[] {
  const texts = present(told);
  // Nobody has such a name; its parts may be thousands.
  if (texts.some(({ length }) => length > LONGEST_NAME)) return [''];
  const names = texts
    .flatMap((name) => [name, unescaped(name)])
    .flatMap((name) => [name, ...PARTS.flatMap((between) => name.split(between))])
    // Of a page that is a file.
    .flatMap((name) => [name, name.replace(/\.[a-z]{1,8}$/i, '')])
    .filter((name) => /[\da-z]/i.test(name));
  return names.length === 0 ? [''] : [...new Set(names)];
}

function unescaped(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function assessments(
  names: readonly string[],
  scope: Scope,
  said: Omit<Assessment, 'vulnerability' | 'purls'>,
): readonly Assessment[] {
  if (scope !== 'Image' && scope.length === 0) return [];
  const purls = scope === 'Image' ? [] : scope;
  return names.map((vulnerability) => ({ vulnerability, purls, ...said }));
}
