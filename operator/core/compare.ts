// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { KubeObject } from './object.ts';
import { isSameQuantity } from './quota/quantity.ts';

/** Lists that several writers add to; ours must be among the entries, whatever else is there. */
const SHARED_LISTS: ReadonlySet<string> = new Set(['metadata.ownerReferences', 'metadata.finalizers']);
/**
 * Lists that say who may reach or do what. A key that somebody adds to an element (`ports` to a rule of ingress, `endPort`
 * to a port) changes what it allows, so there an element must have no keys but ours. An apply resets such a list as a
 * whole. In other lists the API server fills in more than can be told from drift.
 */
const EXACT_LISTS: ReadonlySet<string> = new Set(['spec.ingress', 'spec.egress', 'rules', 'subjects']);
/** Kinds whose spec nobody else has a say in: it is one value to the API server, and an apply writes it as a whole. */
const WHOLE_SPECS: ReadonlySet<string> = new Set(['QuotaLedger']);
/** What the API server fills in there. */
const DEFAULTED_KEYS: ReadonlySet<string> = new Set(['apiGroup', 'protocol']);
/** Free text of users: `1000m` and `1` are different values there. */
const TEXT_ROOTS: ReadonlySet<string> = new Set(['metadata', 'data', 'binaryData', 'stringData']);

/** Whether two JSON values are the same, whatever the order of their keys; a key that is undefined is absent. */
export function isDeepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((one, i) => isDeepEqual(one, b[i]));
  }
  if (!isRecord(a) || !isRecord(b)) return false;
  const keys = definedKeys(a);
  // Only what the other has itself: a key may be called `__proto__`.
  const isSame = (key: string) => Object.hasOwn(b, key) && isDeepEqual(a[key], b[key]);
  return keys.length === definedKeys(b).length && keys.every(isSame);
}

/** JSON with sorted keys and without undefined ones: equal objects give equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((one) => canonicalJson(one ?? null)).join(',')}]`;
  if (!isRecord(value)) return JSON.stringify(value ?? null);
  const fields = definedKeys(value)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`);
  return `{${fields.join(',')}}`;
}

/** What tells one desired object from another, whatever the order of its keys. */
export function hashOf(desired: KubeObject): string {
  return createHash('sha256').update(canonicalJson(desired)).digest('hex').slice(0, 32);
}

/** `desired` with `hash` in the annotation that tells what was applied last. */
export function stampHash(desired: KubeObject, hash: string): KubeObject {
  const annotations = { ...desired.metadata.annotations, [ANNOTATIONS.appliedHash]: hash };
  return { ...desired, metadata: { ...desired.metadata, annotations } };
}

/**
 * Path of the first place where `live` is not what `desired` says; undefined when there is none. Desired must be within
 * live, so drift is noticed; and with the hash annotation of a stamped object, so is a field that is no longer wanted.
 * Lists are compared element by element and by length; quantities by value. An empty map or list is the same as none at
 * all, and outside `metadata` it is not the same as a full one: `podSelector: {}` means everything. Keys that only `live`
 * has are the API server's or somebody else's, except in elements of rules that allow something and in a spec that is all ours.
 */
export function firstDifference(live: KubeObject, desired: KubeObject): string | undefined {
  const missing = difference(live, desired, []);
  if (missing !== undefined || !WHOLE_SPECS.has(desired.kind)) return missing;
  return difference(desired['spec'], live['spec'], ['spec']);
}

type Path = readonly string[];

function difference(live: unknown, desired: unknown, path: Path): string | undefined {
  if (isEmpty(desired)) return isEmpty(live) || path[0] === 'metadata' ? undefined : path.join('.');
  if (Array.isArray(desired)) return listDifference(live, desired, path);
  if (isRecord(desired)) {
    const fields = live ?? {};
    if (!isRecord(fields)) return path.join('.');
    const keys = definedKeys(desired);
    const below = (key: string) => difference(fields[key], desired[key], [...path, key]);
    return firstOf(keys, below) ?? addedKey(fields, keys, path);
  }
  return isSameLeaf(live, desired, path) ? undefined : path.join('.');
}

/** Path of a key that only the live element has, where that matters. */
function addedKey(
  live: Readonly<Record<string, unknown>>,
  desired: readonly string[],
  path: Path,
): string | undefined {
  if (!isInExactList(path)) return undefined;
  const added = Object.keys(live).find(
    (key) => !desired.includes(key) && !DEFAULTED_KEYS.has(key) && !isNoList(live[key]),
  );
  return added === undefined ? undefined : [...path, added].join('.');
}

/** Whether `path` leads into an element, and not just to the list. */
function isInExactList(path: Path): boolean {
  const [root = '', field = ''] = path;
  return (
    (path.length > 1 && EXACT_LISTS.has(root)) || (path.length > 2 && EXACT_LISTS.has(`${root}.${field}`))
  );
}

/** Nothing, or a list of nothing; an empty selector selects everything and is not nothing. */
function isNoList(value: unknown): boolean {
  return value === null || value === undefined || (Array.isArray(value) && value.length === 0);
}

function listDifference(live: unknown, desired: readonly unknown[], path: Path): string | undefined {
  if (!Array.isArray(live)) return path.join('.');
  if (SHARED_LISTS.has(path.join('.'))) {
    const isThere = (one: unknown) => live.some((other) => difference(other, one, path) === undefined);
    return desired.every(isThere) ? undefined : path.join('.');
  }
  if (live.length !== desired.length) return path.join('.');
  return firstOf([...desired.keys()], (i) => difference(live[i], desired[i], [...path, String(i)]));
}

function isSameLeaf(live: unknown, desired: unknown, path: Path): boolean {
  if (live === desired) return true;
  return !TEXT_ROOTS.has(path[0] ?? '') && isSameQuantity(live, desired);
}

/** Null, undefined, `{}` and `[]`: the API server drops and adds them at will. */
function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isRecord(value) && definedKeys(value).length === 0;
}

function firstOf<T>(items: readonly T[], find: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function definedKeys(value: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(value).filter((key) => value[key] !== undefined);
}
