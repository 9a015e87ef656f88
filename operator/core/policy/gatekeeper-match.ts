// SPDX-License-Identifier: Apache-2.0
import { labelsOf, type NamespaceFacts } from './facts.ts';
import { isJsonObject, type JsonObject, type Review } from './review.ts';
import { type LabelExpression, type LabelSelector, matchesGlob, selects } from './selector.ts';

/** `spec.match` of a Gatekeeper constraint. What is absent or empty holds for everything. */
export interface ConstraintMatch {
  readonly source?: 'All' | 'Generated' | 'Original';
  readonly kinds?: readonly { readonly apiGroups?: readonly string[]; readonly kinds?: readonly string[] }[];
  readonly scope?: string;
  readonly namespaces?: readonly string[];
  readonly excludedNamespaces?: readonly string[];
  readonly labelSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly name?: string;
}

/** An object as a constraint is matched against it, and the namespace that it is in. */
export interface MatchSubject {
  readonly group: string;
  readonly kind: string;
  readonly object: JsonObject;
  readonly namespace: NamespaceFacts | undefined;
  /** Whether it was made by expanding another object, as a pod that is not there yet is from a Deployment. */
  readonly isGenerated?: boolean;
}

/** `spec.match`, or which field of it cannot be read. */
export type ReadConstraintMatch =
  | { readonly kind: 'ok'; readonly match: ConstraintMatch }
  | { readonly kind: 'refused'; readonly field: string; readonly wanted: string };

type Problem = { readonly field: string; readonly wanted: string } | undefined;

const SOURCES = ['All', 'Generated', 'Original'];
const LISTS = ['namespaces', 'excludedNamespaces'] as const;
const SELECTORS = ['labelSelector', 'namespaceSelector'] as const;
/** Whether an operator of selectors is given values to compare with. */
const COMPARES: ReadonlyMap<unknown, boolean> = new Map([
  ['In', true],
  ['NotIn', true],
  ['Exists', false],
  ['DoesNotExist', false],
]);
const LABEL_NAME = /^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?$/;

/**
 * Whether what is read is verified now, or was before, by this version or another one. What was verified before may decide already, so a selector
 * of it that no API server would take goes on to select nothing, as it did: without it the whole pack would be gone.
 */
export type ReadingOf = 'new' | 'verified';

/**
 * Reads `spec.match` strictly where a value has the wrong type: a match that is misread could leave out what it was to
 * catch. Fields that this does not know are passed over, as Gatekeeper's schema prunes them.
 */
export function readConstraintMatch(value: unknown, of: ReadingOf = 'new'): ReadConstraintMatch {
  if (value === undefined || value === null) return { kind: 'ok', match: {} };
  if (!isJsonObject(value)) return { kind: 'refused', field: 'spec.match', wanted: 'an object' };
  const problem =
    listProblem(value) ?? kindsProblem(value['kinds']) ?? wordProblem(value) ?? selectorProblem(value, of);
  if (problem !== undefined) return { kind: 'refused', ...problem };
  return { kind: 'ok', match: value };
}

function listProblem(match: JsonObject): Problem {
  const field = LISTS.find((one) => match[one] !== undefined && !isTextList(match[one]));
  return field === undefined ? undefined : { field: `spec.match.${field}`, wanted: 'a list of names' };
}

function kindsProblem(kinds: unknown): Problem {
  if (kinds === undefined) return undefined;
  const wanted = 'a list of objects with apiGroups and kinds, lists of names';
  return Array.isArray(kinds) && kinds.every(isKindRule) ? undefined : { field: 'spec.match.kinds', wanted };
}

function isKindRule(one: unknown): boolean {
  if (!isJsonObject(one)) return false;
  return [one['apiGroups'], one['kinds']].every((list) => list === undefined || isTextList(list));
}

function wordProblem(match: JsonObject): Problem {
  const { source, scope, name } = match;
  if (source !== undefined && !SOURCES.some((one) => one === source))
    return { field: 'spec.match.source', wanted: SOURCES.join(' or ') };
  if (scope !== undefined && typeof scope !== 'string')
    return { field: 'spec.match.scope', wanted: '*, Cluster or Namespaced' };
  return name === undefined || typeof name === 'string'
    ? undefined
    : { field: 'spec.match.name', wanted: 'a name, with * at its start or end' };
}

function selectorProblem(match: JsonObject, of: ReadingOf): Problem {
  const isGood = of === 'new' ? isSelector : isSelectorInForm;
  const field = SELECTORS.find((one) => match[one] !== undefined && !isGood(match[one]));
  return field === undefined ? undefined : { field: `spec.match.${field}`, wanted: SELECTOR_WANTED };
}

const SELECTOR_WANTED =
  'a label selector: matchLabels and matchExpressions, of labels that an object can have; In and NotIn with values, Exists and DoesNotExist without';

/** As the API server takes them. What it does not take would select nothing, and so leave out what the constraint is to catch. */
function isSelector(value: unknown): value is LabelSelector {
  if (!isSelectorInForm(value)) return false;
  const { matchLabels = {}, matchExpressions = [] } = value;
  return (
    Object.keys(matchLabels).every((key) => LABEL_NAME.test(key)) &&
    isLabelValues(Object.values(matchLabels)) &&
    matchExpressions.every(isExpression)
  );
}

function isExpression({ key, operator, values = [] }: LabelExpression): boolean {
  return LABEL_NAME.test(key) && isLabelValues(values) && COMPARES.get(operator) === values.length > 0;
}

/** Whether all of it is of the right type. */
function isSelectorInForm(value: unknown): value is LabelSelector {
  if (!isJsonObject(value)) return false;
  const { matchLabels = {}, matchExpressions = [] } = value;
  return (
    isJsonObject(matchLabels) &&
    isTextList(Object.values(matchLabels)) &&
    Array.isArray(matchExpressions) &&
    matchExpressions.every(isExpressionInForm)
  );
}

function isExpressionInForm(value: unknown): value is LabelExpression {
  if (!isJsonObject(value)) return false;
  const { key, operator, values = [] } = value;
  return typeof key === 'string' && COMPARES.has(operator) && isTextList(values);
}

function isLabelValues(value: unknown): value is readonly string[] {
  return isTextList(value) && value.every((one) => LABEL_VALUE.test(one));
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/** Whether a constraint is about the request: about the object, or about what it was before. */
export function constraintMatches(
  match: ConstraintMatch,
  review: Review,
  namespace: NamespaceFacts | undefined,
): boolean {
  const { group, kind } = review.kind;
  return [review.object, review.oldObject].some(
    (object) => object !== undefined && subjectMatches(match, { group, kind, object, namespace }),
  );
}

/** Whether a constraint is about an object, as Gatekeeper documents it. All parts must hold. */
export function subjectMatches(match: ConstraintMatch, subject: MatchSubject): boolean {
  return (
    sourceMatches(match.source, subject) &&
    kindMatches(match.kinds, subject) &&
    scopeMatches(match.scope, subject) &&
    namespaceMatches(match, subject) &&
    (match.labelSelector === undefined || selects(match.labelSelector, labelsOf(subject.object))) &&
    namespaceIsSelected(match.namespaceSelector, subject) &&
    nameMatches(match.name ?? '', subject.object)
  );
}

function sourceMatches(source: ConstraintMatch['source'], { isGenerated = false }: MatchSubject): boolean {
  if (source === undefined || source === 'All') return true;
  return (source === 'Generated') === isGenerated;
}

function kindMatches(kinds: ConstraintMatch['kinds'], { group, kind }: MatchSubject): boolean {
  if (kinds === undefined || kinds.length === 0) return true;
  return kinds.some((one) => isNamed(one.kinds, kind) && isNamed(one.apiGroups, group));
}

function isNamed(list: readonly string[] | undefined, value: string): boolean {
  return list === undefined || list.length === 0 || list.includes('*') || list.includes(value);
}

/** A word that is none of the scopes limits nothing: so Gatekeeper has it. */
function scopeMatches(scope: string | undefined, subject: MatchSubject): boolean {
  const isNamespaced = !isNamespace(subject) && namespaceOf(subject) !== '';
  if (scope === 'Cluster') return !isNamespaced;
  return scope !== 'Namespaced' || isNamespaced;
}

/** Objects in no namespace are never left out by one; a Namespace goes by its own name. */
function namespaceMatches(match: ConstraintMatch, subject: MatchSubject): boolean {
  const { namespaces = [], excludedNamespaces = [] } = match;
  const name = isNamespace(subject) ? nameOf(subject) : namespaceOf(subject);
  if (name === '') return true;
  const isOneOf = (list: readonly string[]) => list.some((pattern) => wildcardMatches(pattern, name));
  return (namespaces.length === 0 || isOneOf(namespaces)) && !isOneOf(excludedNamespaces);
}

function namespaceIsSelected(selector: LabelSelector | undefined, subject: MatchSubject): boolean {
  if (selector === undefined) return true;
  if (isNamespace(subject)) return selects(selector, labelsOf(subject.object));
  if (namespaceOf(subject) === '') return true;
  // Of a namespace that nothing is known of, Gatekeeper makes an error, which refuses: to take part does the same.
  return subject.namespace === undefined || selects(selector, subject.namespace.labels);
}

/** Only a `*` at an end stands for any text; one in between is a letter that no name has. */
function wildcardMatches(pattern: string, text: string): boolean {
  const inner = pattern.replace(/^\*/, '').replace(/\*$/, '');
  return !inner.includes('*') && matchesGlob(pattern, text);
}

/** A name that is still to be generated is only begun with: so an exact name, or the end of one, says nothing of it. */
function nameMatches(pattern: string, object: JsonObject): boolean {
  if (pattern === '' || wildcardMatches(pattern, textOf(object, 'name'))) return true;
  return pattern.endsWith('*') && wildcardMatches(pattern, textOf(object, 'generateName'));
}

function isNamespace({ group, kind }: MatchSubject): boolean {
  return group === '' && kind === 'Namespace';
}

function nameOf({ object }: MatchSubject): string {
  return textOf(object, 'name');
}

function namespaceOf({ namespace, object }: MatchSubject): string {
  return namespace?.name ?? textOf(object, 'namespace');
}

function textOf(object: JsonObject, field: string): string {
  const metadata = object['metadata'];
  const value = isJsonObject(metadata) ? metadata[field] : undefined;
  return typeof value === 'string' ? value : '';
}
