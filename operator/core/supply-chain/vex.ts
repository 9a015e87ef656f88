// SPDX-License-Identifier: Apache-2.0
import { asDocument, asList, asText, at, type Document } from './documents.ts';
import { type Judgement, refuse } from './judgement.ts';

/** What somebody says who looked: whether this vulnerability affects the image. */
export interface Assessment {
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

/** What a statement is of: the whole image, or these packages of it; of none it says nothing that can be held against a finding. */
type Scope = 'Image' | readonly string[];

/** Statements of one document: of 10,000 packages, a few thousand. */
const MAX_STATEMENTS = 50_000;

/**
 * What an OpenVEX document, or the analysis in a CycloneDX one, says that is of `image`. What names something that is neither the image nor a package is
 * of nothing; and what is said against the rules of its form is not said.
 */
export function readVex(predicate: Document, image: string): Judgement<readonly Assessment[]> {
  const statements = asList(predicate['statements']);
  const analysed = asList(predicate['vulnerabilities']);
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
  const names = [
    asText(at(statement, 'vulnerability', 'name')) ?? asText(at(statement, 'vulnerability')),
    ...asList(at(statement, 'vulnerability', 'aliases')).map(asText),
  ];
  const parts = at(statement, 'subcomponents');
  const scope = scopeOf(at(statement, 'products'), (one) => ofProduct(one, { parts, image }));
  const saidAtMs = timeOf(statement, 'last_updated', 'timestamp') ?? issuedAt;
  return assessments(names, scope, {
    excludes: EXCLUDING.has(status),
    place,
    ...(saidAtMs !== undefined && { saidAtMs }),
  });
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
  const scope = scopeOf(at(vulnerability, 'affects'), (one) => {
    const ref = asText(at(one, 'ref')) ?? '';
    return ofComponent(identityOf(components.get(ref) ?? ref), image);
  });
  const saidAtMs = analysedAt(at(vulnerability, 'analysis'), madeAt);
  const excludes = NOT_AFFECTED.has(state);
  // Its vulnerabilities are a set: nothing in it is later than the rest.
  return assessments([asText(at(vulnerability, 'id'))], scope, {
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

/** Where nothing is named it is said of what the statement is attached to. What is named and cannot be read is not nothing. */
function scopeOf(named: unknown, of: (one: unknown) => Scope): Scope {
  if (isNothing(named)) return 'Image';
  const scopes = asList(named).map(of);
  return scopes.includes('Image') ? 'Image' : scopes.flatMap((one) => (one === 'Image' ? [] : one));
}

function isNothing(named: unknown): boolean {
  return named === undefined || (Array.isArray(named) && named.length === 0);
}

/** A product: the image itself, a package of it, or something else. Before 0.2 the parts of all products were in the statement. */
function ofProduct(
  product: unknown,
  { parts, image }: { readonly parts: unknown; readonly image: string },
): Scope {
  const identity = identityOf(product);
  const inner = at(product, 'subcomponents') ?? parts;
  if (isNothing(inner)) return ofComponent(identity, image);
  // The parts of another product are there, and not here.
  if (kindOf(identity, image) === 'Other' || packagesOf(identity).length > 0) return [];
  return asList(inner).flatMap((one) => packagesOf(identityOf(one)));
}

function ofComponent(identity: Identity, image: string): Scope {
  const kind = kindOf(identity, image);
  if (kind === 'Image') return 'Image';
  return kind === 'Other' ? [] : packagesOf(identity);
}

/** What something is called, and the digests that are said to be its. */
interface Identity {
  readonly names: readonly string[];
  readonly hashes: readonly string[];
}

function identityOf(one: unknown): Identity {
  if (asDocument(one) === undefined) return { names: present([asText(one)]), hashes: [] };
  const hash = asText(at(one, 'hashes', 'sha-256'));
  return {
    names: present([asText(at(one, 'identifiers', 'purl')), asText(at(one, 'purl')), asText(at(one, '@id'))]),
    hashes: hash === undefined ? [] : [`sha256:${hash.toLowerCase()}`],
  };
}

function present(texts: readonly (string | undefined)[]): readonly string[] {
  return texts.filter((one) => one !== undefined);
}

/** Purls of packages within images: those of images are no packages. */
function packagesOf({ names }: Identity): readonly string[] {
  return names.filter((one) => one.startsWith('pkg:') && !/^pkg:(?:oci|docker)\//i.test(one)).slice(0, 1);
}

const DIGEST = /sha256(?::|%3a)([0-9a-f]{64})(?![0-9a-f])/gi;

/** Whether this is the image, by its digest; another one; or whether it does not say. */
function kindOf({ names, hashes }: Identity, image: string): 'Image' | 'Other' | 'Unsaid' {
  const isPackage = names.some((one) => packagesOf({ names: [one], hashes: [] }).length > 0);
  const named = names.flatMap((one) => [...one.matchAll(DIGEST)].map(([, hex = '']) => hex.toLowerCase()));
  const digests = [...named.map((hex) => `sha256:${hex}`), ...(isPackage ? [] : hashes)];
  if (digests.length === 0) return 'Unsaid';
  return digests.every((one) => one === image) ? 'Image' : 'Other';
}

function assessments(
  names: readonly (string | undefined)[],
  scope: Scope,
  said: Omit<Assessment, 'vulnerability' | 'purls'>,
): readonly Assessment[] {
  if (scope !== 'Image' && scope.length === 0) return [];
  const purls = scope === 'Image' ? [] : scope;
  return present(names).map((vulnerability) => ({ vulnerability, purls, ...said }));
}
