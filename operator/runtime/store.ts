// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, ObjectMeta } from '../core/object.ts';
import { keyOf, keyString } from './controller.ts';

/** One change of a store. Both set: changed; only `object`: new; only `old`: gone. */
export interface Change {
  readonly old: KubeObject | undefined;
  readonly object: KubeObject | undefined;
}

/** Values under which an index finds an object, by the index' name. */
export type Indexers = Readonly<Record<string, (object: KubeObject) => readonly string[]>>;

type Bucket = Map<string, KubeObject>;

type MetaWithBallast = ObjectMeta & { readonly managedFields?: unknown };

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/**
 * Deleted objects that the watch has not confirmed yet; more than this are forgotten, at the cost of a
 * flicker.
 */
const MAX_TOMBSTONES = 10_000;
const NO_OBJECTS: Bucket = new Map();

/**
 * Objects of one watch, by key and by index. Resource versions of one kind may be compared as numbers
 * (Kubernetes 1.35 promises it), so what comes late is told from what is new, and answers to our own writes
 * can go in at once.
 */
export class Store {
  readonly #objects: Bucket = new Map();
  readonly #namespaces = new Map<string, Bucket>();
  readonly #indexes = new Map<string, { of: Indexers[string]; buckets: Map<string, Bucket> }>();
  readonly #deletedUids = new Set<string>();
  #seenVersion = 0n;
  #isRecalled = false;

  constructor(indexers: Indexers = {}) {
    for (const [name, of] of Object.entries(indexers)) this.#indexes.set(name, { of, buckets: new Map() });
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Highest version that the watch has told; everything up to it is in. */
  get seenVersion(): bigint {
    return this.#seenVersion;
  }

  get(key: string): KubeObject | undefined {
    return this.#objects.get(key);
  }

  /** All objects, or those of a namespace. */
  list(namespace?: string): KubeObject[] {
    const bucket = namespace === undefined ? this.#objects : this.#namespaces.get(namespace);
    return [...(bucket ?? NO_OBJECTS).values()];
  }

  hasIndex(name: string): boolean {
    return this.#indexes.has(name);
  }

  /** Objects that `index` finds under `value`. */
  find(index: string, value: string): KubeObject[] {
    return [...(this.#indexes.get(index)?.buckets.get(value) ?? NO_OBJECTS).values()];
  }

  /** A change that the watch told. An object made anew under the same name counts as gone and new. */
  observe(type: 'put' | 'delete', object: KubeObject): readonly Change[] {
    const version = versionOf(object);
    if (version > this.#seenVersion) this.#seenVersion = version;
    const { uid } = object.metadata;
    const old = this.#objects.get(keyString(keyOf(object)));
    if (type === 'delete') {
      this.#deletedUids.delete(uid ?? '');
      return old === undefined || versionOf(old) > version ? [] : this.#remove(old);
    }
    if (this.#deletedUids.has(uid ?? '')) return [];
    return old !== undefined && versionOf(old) >= version ? [] : this.#put(object, old);
  }

  /** The watch has told everything up to `resourceVersion`. */
  advance(resourceVersion: string): void {
    const version = toVersion(resourceVersion);
    if (version > this.#seenVersion) this.#seenVersion = version;
  }

  /** The answer to a write of our own; put in unless the watch is already past it, or we deleted the object since. */
  observeWrite(object: KubeObject): readonly Change[] {
    const version = versionOf(object);
    if (version <= this.#seenVersion || this.#deletedUids.has(object.metadata.uid ?? '')) return [];
    const old = this.#objects.get(keyString(keyOf(object)));
    return old !== undefined && versionOf(old) >= version ? [] : this.#put(object, old);
  }

  /** Our own delete: the object with `uid` is gone, whatever the watch still tells about it. */
  observeRemoval(key: string, uid: string): readonly Change[] {
    const old = this.#objects.get(key);
    if (old?.metadata.uid !== uid) return [];
    if (this.#deletedUids.size >= MAX_TOMBSTONES) this.#deletedUids.clear();
    this.#deletedUids.add(uid);
    return this.#remove(old);
  }

  /** Puts in what was kept of an earlier time, in place of all. Nothing of it is believed any more when everything is read next, whatever its versions. */
  recall(objects: Iterable<KubeObject>): readonly Change[] {
    this.#isRecalled = true;
    const changes = this.replace(objects, '');
    this.#isRecalled = true;
    return changes;
  }

  /**
   * Everything there was at `resourceVersion`. What is not among it is gone, except what was written by us
   * since: that has a version above. Objects that did not change keep their identity.
   */
  replace(objects: Iterable<KubeObject>, resourceVersion: string): readonly Change[] {
    const version = toVersion(resourceVersion);
    // Versions went backwards: the cluster was restored from a backup, and nothing we hold can be compared.
    const isRewound = this.#isRecalled || version < this.#seenVersion;
    this.#isRecalled = false;
    const changes: Change[] = [];
    const present = new Set<string>();
    for (const object of objects) {
      const key = keyString(keyOf(object));
      present.add(key);
      const old = this.#objects.get(key);
      const isBelieved = isRewound || (old !== undefined && isOfLostHistory(old, object, version));
      changes.push(...(isBelieved ? this.#put(object, old) : this.observe('put', object)));
    }
    for (const [key, old] of this.#objects) {
      if (!present.has(key) && (isRewound || versionOf(old) <= version)) changes.push(...this.#remove(old));
    }
    this.#deletedUids.clear();
    this.#seenVersion = version;
    return changes;
  }

  #put(object: KubeObject, old: KubeObject | undefined): readonly Change[] {
    const isNamesake = old !== undefined && old.metadata.uid !== object.metadata.uid;
    if (old !== undefined) this.#unindex(old);
    const frozen = deepFreeze(object);
    this.#objects.set(keyString(keyOf(frozen)), frozen);
    this.#index(frozen);
    if (!isNamesake) return [{ old, object: frozen }];
    return [
      { old, object: undefined },
      { old: undefined, object: frozen },
    ];
  }

  #remove(old: KubeObject): readonly Change[] {
    this.#unindex(old);
    this.#objects.delete(keyString(keyOf(old)));
    return [{ old, object: undefined }];
  }

  #index(object: KubeObject): void {
    const key = keyString(keyOf(object));
    const { namespace } = object.metadata;
    if (namespace !== undefined) bucketOf(this.#namespaces, namespace).set(key, object);
    for (const { of, buckets } of this.#indexes.values()) {
      for (const value of of(object)) bucketOf(buckets, value).set(key, object);
    }
  }

  #unindex(object: KubeObject): void {
    const key = keyString(keyOf(object));
    const { namespace } = object.metadata;
    if (namespace !== undefined) dropFrom(this.#namespaces, namespace, key);
    for (const { of, buckets } of this.#indexes.values()) {
      for (const value of of(object)) dropFrom(buckets, value, key);
    }
  }
}

/**
 * `object` without what nobody reads: managedFields and the copy that kubectl keeps, half of many objects. The very same where there is neither, as of Runs and their pods:
 * to copy what was just read costs a fifth of reading it.
 */
export function withoutBallast(object: KubeObject): KubeObject {
  const given: MetaWithBallast = object.metadata;
  if (given.managedFields === undefined && given.annotations?.[LAST_APPLIED] === undefined) return object;
  const { managedFields: _, ...metadata } = given;
  const { [LAST_APPLIED]: lastApplied, ...annotations } = metadata.annotations ?? {};
  if (lastApplied === undefined) return { ...object, metadata };
  return { ...object, metadata: { ...metadata, annotations } };
}

/** The number behind a resourceVersion; 0 for none. */
export function toVersion(resourceVersion: string | undefined): bigint {
  return resourceVersion !== undefined && /^\d+$/.test(resourceVersion) ? BigInt(resourceVersion) : 0n;
}

/**
 * Whether a list of everything at `version` has an older `object` than the one held, and not because the list is older: then what is
 * held was never written, as far as the API server knows. It was lost when a backup was restored.
 */
function isOfLostHistory(old: KubeObject, object: KubeObject, version: bigint): boolean {
  return versionOf(object) < versionOf(old) && versionOf(old) <= version;
}

function versionOf(object: KubeObject): bigint {
  return toVersion(object.metadata.resourceVersion);
}

function bucketOf(buckets: Map<string, Bucket>, value: string): Bucket {
  const bucket = buckets.get(value) ?? new Map<string, KubeObject>();
  buckets.set(value, bucket);
  return bucket;
}

function dropFrom(buckets: Map<string, Bucket>, value: string, key: string): void {
  const bucket = buckets.get(value);
  bucket?.delete(key);
  if (bucket?.size === 0) buckets.delete(value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
