// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '../core/object.ts';
import {
  type IndexDeclaration,
  type Key,
  keyOf,
  keyString,
  type ListFilter,
  type LiveSelection,
  type Reader,
  type Watch,
} from './controller.ts';
import { Informer, type InformerOptions } from './informer.ts';
import { resourceString } from './resource.ts';
import type { Change } from './store.ts';

/** What an informer needs besides what it watches. */
export type CacheOptions = Pick<InformerOptions, 'client' | 'timing' | 'metrics' | 'log' | 'clock'> & {
  readonly indexes: readonly IndexDeclaration[];
};

/** A watch without what to do on a change. */
export type WatchTarget = Omit<Watch, 'keys'>;

/** An object of a store, and whether it is whole. */
export interface Cached {
  readonly object: KubeObject;
  readonly isComplete: boolean;
}

/** What one watch holds. */
export interface HeldWatch {
  /** What is watched: kind, namespace and selectors. */
  readonly watch: string;
  readonly kind: string;
  readonly objects: readonly KubeObject[];
}

/**
 * All informers of a process: one for each kind, selection and namespace, shared by all who watch it.
 * Declare all watches first, then start.
 */
export class Cache implements Reader {
  readonly #options: CacheOptions;
  readonly #targets: { target: WatchTarget; handler: (change: Change) => void }[] = [];
  #changes = 0;
  readonly #byWatch = new Map<string, Informer>();
  /** By kind, then by version: this is asked some fifty times for each pass, and to join the two each time took longer than to look. */
  readonly #informers = new Map<string, Map<string, readonly Informer[]>>();

  constructor(options: CacheOptions) {
    this.#options = options;
  }

  /** Has `handler` called with every change that `target` tells. */
  watch(target: WatchTarget, handler: (change: Change) => void): void {
    this.#targets.push({ target, handler });
  }

  /** Opens all watches; each runs until `signal` aborts. The promises never reject. */
  start(signal: AbortSignal): { readonly synced: Promise<void>; readonly ended: Promise<void> } {
    const groups = Map.groupBy(this.#targets, ({ target }) => shareKey(target));
    const informers = [...groups.values()].map((group) => this.#share(group));
    const ended = Promise.all(informers.map((informer) => informer.run(signal))).then(() => undefined);
    const synced = Promise.all(informers.map((informer) => informer.synced)).then(() => undefined);
    return { synced, ended };
  }

  /** Whether every store was filled. */
  get isSynced(): boolean {
    return [...this.#byWatch.values()].every((informer) => informer.isSynced);
  }

  /** How many changes of objects watches have told. */
  get changes(): number {
    return this.#changes;
  }

  /** When the watch that has been silent for longest told anything last, by the clock of `performance`. 0: one never did. */
  get toldAtMs(): number {
    return Math.min(...[...this.#byWatch.values()].map((informer) => informer.toldAtMs));
  }

  /** What every watch holds at this moment. */
  held(): readonly HeldWatch[] {
    return [...this.#byWatch].map(([watch, { resource, store }]) => ({
      watch,
      kind: resource.kind,
      objects: store.list(),
    }));
  }

  /**
   * Has every watch hold what was kept of an earlier time, until `release`. Once started, and with the very watches that there are:
   * what is known of one kind means nothing beside what is not known of another.
   *
   * @throws Error where what is kept is of other watches; nothing is changed then.
   */
  recall(kept: readonly HeldWatch[]): void {
    const isSame = kept.length === this.#byWatch.size && kept.every(({ watch }) => this.#byWatch.has(watch));
    if (!isSame) throw new Error('what is kept is of other watches');
    for (const { watch, objects } of kept) this.#byWatch.get(watch)?.recall(objects);
  }

  /** Puts what the API server told in place of what was recalled: all watches at once, so that nobody sees some of each. */
  release(): void {
    if (!this.isSynced) throw new Error('the API server has not told everything yet');
    for (const informer of this.#byWatch.values()) informer.release();
  }

  get(resource: Resource, key: Key): KubeObject | undefined {
    return this.lookup(resource, key)?.object;
  }

  /**
   * The object as last seen, whole if any store holds it whole. A store of all objects has the last word: watches of one kind are not in step,
   * and who is woken when an object is gone from the one would find it in another, and not be woken again.
   */
  lookup(resource: { readonly apiVersion: string; readonly kind: string }, key: Key): Cached | undefined {
    const name = keyString(key);
    for (const { store, isComplete, coversAll } of this.#informersOf(resource)) {
      const object = store.get(name);
      if (object !== undefined) return { object, isComplete };
      if (coversAll) return undefined;
    }
    return undefined;
  }

  /**
   * Whether a filled store would have `object` if it were there as it is given: not to find it then says that it is
   * not there, or is otherwise.
   */
  wouldHold(object: KubeObject): boolean {
    return this.#informersOf(object).some((informer) => informer.isSynced && informer.matches(object));
  }

  list(resource: Resource, filter: ListFilter = {}): readonly KubeObject[] {
    const informers = this.#informersOf(resource);
    const [first] = informers;
    if (first === undefined) throw new Error(`${resourceString(resource)} is not watched`);
    const found = listOf(first, filter);
    if (first.coversAll || informers.length === 1) return found;
    const more = informers.slice(1).flatMap((informer) => listOf(informer, filter));
    if (more.length === 0) return found;
    const byKey = new Map(found.map((object) => [keyString(keyOf(object)), object]));
    for (const object of more) {
      const key = keyString(keyOf(object));
      if (!byKey.has(key)) byKey.set(key, object);
    }
    return [...byKey.values()];
  }

  live(resource: Resource, key: Key): Promise<KubeObject | undefined> {
    return this.#options.client.get(resource, key);
  }

  async listLive(resource: Resource, selection: LiveSelection): Promise<readonly KubeObject[]> {
    const found: KubeObject[] = [];
    for await (const { items } of this.#options.client.list(resource, selection)) found.push(...items);
    return found;
  }

  async anyLive(resource: Resource, selection: LiveSelection): Promise<boolean> {
    const one = { ...selection, metadataOnly: true, firstPage: 1 };
    for await (const { items } of this.#options.client.list(resource, one)) {
      if (items.length > 0) return true;
    }
    return false;
  }

  /** Takes in the answer to a write of our own. */
  observeWrite(object: KubeObject): void {
    for (const informer of this.#informersOf(object)) informer.observeWrite(object);
  }

  /** A write of an object of the kind that was sent then, by `performance.now()`, has made `version`; one that changed nothing has not. */
  observeVersion(
    resource: { readonly apiVersion: string; readonly kind: string },
    version: string | undefined,
    sentAtMs: number,
  ): void {
    for (const informer of this.#informersOf(resource)) informer.observeVersion(version, sentAtMs);
  }

  /**
   * Whether `object` was still at its version when this was called, as far as a watch can prove it in a moment; false where it cannot, or something
   * newer has been heard of.
   */
  async isNewest(object: KubeObject): Promise<boolean> {
    const key = keyString(keyOf(object));
    const { uid, resourceVersion } = object.metadata;
    const holder = this.#informersOf(object).find(({ store }) => store.get(key) !== undefined);
    if (holder === undefined || !(await holder.isFresh())) return false;
    const held = holder.store.get(key)?.metadata;
    return held?.uid === uid && held?.resourceVersion === resourceVersion;
  }

  /** Takes in that our own delete took effect. */
  observeRemoval(ref: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly uid: string;
  }): void {
    for (const informer of this.#informersOf(ref)) informer.observeRemoval(ref);
  }

  #informersOf(resource: { readonly apiVersion: string; readonly kind: string }): readonly Informer[] {
    return this.#informers.get(resource.kind)?.get(resource.apiVersion) ?? NO_INFORMERS;
  }

  #share(group: { target: WatchTarget; handler: (change: Change) => void }[]): Informer {
    const [first] = group;
    if (first === undefined) throw new Error('a group of watches is never empty');
    const { resource, namespace, labelSelector, fieldSelector, metadataOnly, trim } = first.target;
    const { indexes, ...shared } = this.#options;
    const informer = new Informer({
      ...shared,
      resource,
      selection: { namespace, labelSelector, fieldSelector, metadataOnly },
      trim: group.every(({ target }) => target.trim === trim) ? trim : undefined,
      indexers: Object.fromEntries(
        indexes
          .filter((index) => resourceString(index.resource) === resourceString(resource))
          .map((index) => [index.name, index.of]),
      ),
    });
    for (const { handler } of group) informer.onChange(handler);
    informer.onChange(() => {
      this.#changes += 1;
    });
    this.#byWatch.set(shareKey(first.target), informer);
    const versions = this.#informers.get(resource.kind) ?? new Map<string, readonly Informer[]>();
    this.#informers.set(resource.kind, versions);
    versions.set(resource.apiVersion, [...this.#informersOf(resource), informer].toSorted(byUse));
    return informer;
  }
}

const NO_INFORMERS: readonly Informer[] = [];

/** Whole objects before parts, everything before a selection. */
function byUse(a: Informer, b: Informer): number {
  return rank(b) - rank(a);
}

function rank(informer: Informer): number {
  return (informer.isComplete ? 2 : 0) + (informer.coversAll ? 1 : 0);
}

function shareKey(target: WatchTarget): string {
  const { resource, namespace, labelSelector, fieldSelector, metadataOnly } = target;
  return JSON.stringify([
    resourceString(resource),
    namespace ?? '',
    labelSelector ?? '',
    fieldSelector ?? '',
    metadataOnly === true,
  ]);
}

/** @throws Error when the index was not declared. */
function listOf({ store, resource }: Informer, filter: ListFilter): KubeObject[] {
  const { index, value, namespace } = filter;
  if (index === undefined) return store.list(namespace);
  if (!store.hasIndex(index)) throw new Error(`${resourceString(resource)} has no index "${index}"`);
  const found = store.find(index, value ?? '');
  return namespace === undefined ? found : found.filter((object) => object.metadata.namespace === namespace);
}
