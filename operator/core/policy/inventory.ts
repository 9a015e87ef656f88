// SPDX-License-Identifier: Apache-2.0
import type { PolicyInventory } from '#crds/v1alpha1/policy-inventory';
import type { KubeObject, Resource } from '../object.ts';
import { isJsonObject, type JsonObject } from './review.ts';

/** More is not handed to a module, whatever memory it may have: bytes of the document in UTF-8. */
export const MAX_INVENTORY_BYTES = 16 * 1024 * 1024;
/** Objects of a kind, of whichever namespace. */
export const MAX_INVENTORY_OBJECTS = 50_000;

/** The first kind that a pack may not look at, and why, in words; undefined: it may look at all. */
export function inventoryFault(
  { kinds }: PolicyInventory,
  allowed: readonly Resource[],
  isTenants: boolean,
): string | undefined {
  for (const [index, wanted] of kinds.entries()) {
    const found = resourceFor(wanted, allowed);
    const at = `spec.inventory.kinds[${index}]: found ${wanted.apiVersion} ${wanted.kind}`;
    if (found === undefined) return `${at}; ${keptWords(allowed)}`;
    if (isTenants && !found.namespaced)
      return `${at}, which is in no namespace; the pack of a tenant sees what is in its namespaces`;
  }
  return undefined;
}

function keptWords(allowed: readonly Resource[]): string {
  const names = allowed.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`);
  const kept = names.length === 0 ? 'none' : names.join(', ');
  return `the kinds that the platform keeps for packs are: ${kept}. More by chart value platform.policyInventory`;
}

/** What is read to see a kind. */
export function resourceFor(
  { apiVersion, kind }: Pick<Resource, 'apiVersion' | 'kind'>,
  allowed: readonly Resource[],
): Resource | undefined {
  return allowed.find((one) => one.apiVersion === apiVersion && one.kind === kind);
}

/** Whose objects a pack sees. */
export interface InventoryView {
  readonly inventory: PolicyInventory;
  /** Of the pack of a tenant, its namespaces, and nothing that is in none. Undefined: all. */
  readonly own: ReadonlySet<string> | undefined;
}

/** The objects of one kind, as they are in the cluster. */
export interface KindObjects {
  readonly resource: Resource;
  readonly objects: Iterable<KubeObject>;
}

/** Of what a document would become too large, beyond how many bytes. */
export class InventoryTooLarge extends Error {}

interface Tree {
  [key: string]: Tree | string;
}

/**
 * JSON text of `inventory`, as Gatekeeper lays it out. The text of an object is made once for each version of it: where one of
 * ten thousand has changed, the others are copied.
 */
export function inventoryText(
  { inventory, own }: InventoryView,
  kinds: readonly KindObjects[],
  { maxBytes, textOf }: { readonly maxBytes: number; readonly textOf: ObjectTexts },
): string {
  const named = inventory.namespaces === undefined ? undefined : new Set(inventory.namespaces);
  const tree: Tree = {};
  let units = 0;
  for (const { resource, objects } of kinds) {
    const fields = inventory.kinds.find(
      (one) => one.kind === resource.kind && one.apiVersion === resource.apiVersion,
    )?.fields;
    for (const object of objects) {
      const { namespace = '', name } = object.metadata;
      if (!isSeen(namespace, { named, own })) continue;
      const text = textOf(object, resource, fields);
      // Never more than its bytes: ends early what is far too large.
      units += text.length;
      if (units > maxBytes) throw tooLarge(maxBytes);
      const scope = namespace === '' ? ['cluster'] : ['namespace', namespace];
      put(tree, [...scope, resource.apiVersion, resource.kind, name], text);
    }
  }
  const document = treeText(tree);
  if (Buffer.byteLength(document) > maxBytes) throw tooLarge(maxBytes);
  return document;
}

function tooLarge(maxBytes: number): InventoryTooLarge {
  return new InventoryTooLarge(
    `what the pack looks at has more than ${maxBytes} bytes: name fewer fields, kinds or namespaces`,
  );
}

function isSeen(
  namespace: string,
  {
    named,
    own,
  }: { readonly named: ReadonlySet<string> | undefined; readonly own: ReadonlySet<string> | undefined },
): boolean {
  if (own !== undefined && !own.has(namespace)) return false;
  return namespace === '' || named === undefined || named.has(namespace);
}

function put(tree: Tree, path: readonly string[], text: string): void {
  let at = tree;
  for (const key of path.slice(0, -1)) {
    const next = Object.hasOwn(at, key) ? at[key] : undefined;
    if (typeof next === 'object') at = next;
    else {
      const made: Tree = {};
      define(at, key, made);
      at = made;
    }
  }
  define(at, path.at(-1) ?? '', text);
}

/** Not by assignment: an object may be called `__proto__`. */
function define(tree: Tree, key: string, value: Tree | string): void {
  Object.defineProperty(tree, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Sorted, so that the same objects give the same text, in whichever order a watch told them. */
function treeText(tree: Tree): string {
  const parts = Object.keys(tree)
    .toSorted()
    .map((key) => {
      const value = tree[key] ?? '{}';
      return `${JSON.stringify(key)}:${typeof value === 'string' ? value : treeText(value)}`;
    });
  return `{${parts.join(',')}}`;
}

/** JSON text of an object, with some of its fields or all. */
export type ObjectTexts = (
  object: KubeObject,
  resource: Resource,
  fields: readonly string[] | undefined,
) => string;

/** Texts of objects, kept for as long as the objects are. */
export function objectTexts(): ObjectTexts {
  const known = new WeakMap<KubeObject, Map<string, string>>();
  return (object, resource, fields) => {
    const byFields = known.get(object) ?? new Map<string, string>();
    const key = fields?.join() ?? '*';
    const text = byFields.get(key) ?? JSON.stringify(projected(object, resource, fields));
    known.set(object, byFields.set(key, text));
    return text;
  };
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** An object with what rules read of it. */
export function projected(
  object: KubeObject,
  { apiVersion, kind }: Pick<Resource, 'apiVersion' | 'kind'>,
  fields: readonly string[] | undefined,
): JsonObject {
  const { name, namespace } = object.metadata;
  const identity = { name, ...(namespace !== undefined && { namespace }) };
  if (fields === undefined)
    return { ...object, apiVersion, kind, metadata: lightMetadata({ ...object.metadata }) };
  const made = picked({ ...object }, treeOf(fields));
  const metadata = isJsonObject(made) && isJsonObject(made['metadata']) ? made['metadata'] : {};
  return { ...(isJsonObject(made) ? made : {}), apiVersion, kind, metadata: { ...metadata, ...identity } };
}

/** The most fields of a kind that are told apart: of more than that, objects are kept whole. */
const MAX_KEPT_FIELDS = 64;

/** What has to be kept of objects for all who read these fields of them; undefined: all. */
export function keptFields(readers: Iterable<readonly string[] | undefined>): readonly string[] | undefined {
  const kept = new Set<string>();
  for (const fields of readers) {
    if (fields === undefined) return undefined;
    for (const field of fields) kept.add(field);
    if (kept.size > MAX_KEPT_FIELDS) return undefined;
  }
  return [...kept].toSorted();
}

/** Whether what is kept is enough for who reads these fields. */
export function areKept(fields: readonly string[] | undefined, kept: readonly string[] | undefined): boolean {
  if (kept === undefined) return true;
  return fields !== undefined && fields.every((one) => kept.includes(one));
}

/** An object with what is kept of it, which is also what tells its versions apart. */
export function kept(object: KubeObject, resource: Resource, fields: readonly string[]): KubeObject {
  const { metadata, ...rest } = projected(object, resource, fields);
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const identity = { name, namespace, uid, resourceVersion };
  const known = Object.entries(identity).filter(([, value]) => value !== undefined);
  const own = { ...(metadata as JsonObject), ...Object.fromEntries(known) };
  return { ...rest, metadata: own } as unknown as KubeObject;
}

/** Fields, by their parts; where a path ends, all that is there. */
interface Fields {
  readonly [key: string]: Fields | 'all';
}

const treesOf = new Map<string, Fields>();
/** Of different packs; they are short, and made anew in no time. */
const MAX_TREES = 256;

function treeOf(fields: readonly string[]): Fields {
  const key = fields.join();
  const known = treesOf.get(key);
  if (known !== undefined) return known;
  const tree = fields.reduce((all: Fields, field) => withPath(all, field.split('.')), {});
  if (treesOf.size >= MAX_TREES) treesOf.clear();
  treesOf.set(key, tree);
  return tree;
}

function withPath(tree: Fields, [key = '', ...rest]: readonly string[]): Fields {
  const known = Object.hasOwn(tree, key) ? tree[key] : undefined;
  if (known === 'all') return tree;
  const next = rest.length === 0 ? 'all' : withPath(known ?? {}, rest);
  return { ...tree, [key]: next };
}

/** Of a value what is asked for; of a list, that of each entry. What is not as it is asked for is not there. */
function picked(value: unknown, fields: Fields | 'all'): unknown {
  if (fields === 'all') return value;
  if (Array.isArray(value)) return value.map((one: unknown) => picked(one, fields) ?? null);
  if (!isJsonObject(value)) return undefined;
  const made: Record<string, unknown> = {};
  for (const [key, rest] of Object.entries(fields)) {
    if (!Object.hasOwn(value, key)) continue;
    const found = picked(value[key], rest);
    if (found !== undefined) Object.defineProperty(made, key, own(found));
  }
  return made;
}

function lightMetadata(metadata: JsonObject): JsonObject {
  const { managedFields: _, resourceVersion: __, annotations, ...rest } = metadata;
  if (!isJsonObject(annotations)) return rest;
  const { [LAST_APPLIED]: ___, ...others } = annotations;
  return { ...rest, annotations: others };
}

function own(value: unknown): PropertyDescriptor {
  return { value, enumerable: true, configurable: true, writable: true };
}

/** The data of a pack with its inventory. What the pack brings stays as it is, byte by byte. */
export function withInventory(data: Uint8Array | undefined, inventory: string): Uint8Array {
  const own = data === undefined ? '' : new TextDecoder().decode(data).trim().slice(1, -1).trim();
  return new TextEncoder().encode(`{${own === '' ? '' : `${own},`}"inventory":${inventory}}`);
}

/** Whether the data of a pack have an inventory of their own, beside which there can be no live one. */
export function hasInventory(data: Uint8Array | undefined): boolean {
  if (data === undefined) return false;
  const parsed: unknown = JSON.parse(new TextDecoder().decode(data));
  return isJsonObject(parsed) && Object.hasOwn(parsed, 'inventory');
}
