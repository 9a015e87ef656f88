// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '../core/object.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Client, Selection } from './client.ts';
import { keyOf, keyString } from './controller.ts';
import { Freshness, type FreshnessOptions } from './freshness.ts';
import { Reflector, type ReflectorTiming, type Sink } from './reflector.ts';
import { labelMatcher } from './selector.ts';
import { type Change, type Indexers, Store, toVersion, withoutBallast } from './store.ts';

/** What an informer watches, and with what. */
export interface InformerOptions {
  readonly client: Client;
  readonly resource: Resource;
  readonly selection: Selection;
  readonly trim?: ((object: KubeObject) => KubeObject | undefined) | undefined;
  readonly indexers: Indexers;
  readonly timing: ReflectorTiming;
  readonly metrics: Metrics;
  readonly log: Log;
  /** By what it waits for proofs of the watch; for tests. */
  readonly clock?: Pick<FreshnessOptions, 'now' | 'after'>;
}

/** The least that can be listed: what has one name, which nothing needs to have. Of one name alone where there may be no right to more. */
const ANY_NAMESPACE = 'default';
const ONE_NAME = /^metadata\.name=[^,]+$/;
const OF_NOTHING = { fieldSelector: 'metadata.name=nothing', metadataOnly: true, firstPage: 1 } as const;

/** Asked once, and not for long: who does not want to wait for it asks for himself. */
const BRIEFLY = { attempts: 1, timeoutMs: 10_000 };

/** One watch, its store, and all who want to know of changes. */
export class Informer {
  readonly resource: Resource;
  readonly selection: Selection;
  /** Whether the store holds objects whole, so that what is desired can be compared with them. */
  readonly isComplete: boolean;
  /** Whether the store holds every object of the kind. */
  readonly coversAll: boolean;
  readonly store: Store;
  /** Resolves when the store was filled once. */
  readonly synced: Promise<void>;
  readonly #options: InformerOptions;
  readonly #handlers: ((change: Change) => void)[] = [];
  /** Whether an object is among what is watched. Unknown (field selectors) counts as no. */
  readonly matches: (object: KubeObject) => boolean;
  readonly #resolveSynced: () => void;
  readonly #freshness: Freshness;
  #reflector: Reflector | undefined;
  /** What the API server tells while the store holds what was kept of an earlier time. */
  #gathered: Store | undefined;
  #isSynced = false;
  #toldAtMs = 0;

  constructor(options: InformerOptions) {
    const { resource, selection } = options;
    this.#options = options;
    this.resource = resource;
    this.selection = selection;
    this.isComplete = selection.metadataOnly !== true && options.trim === undefined;
    this.coversAll = [selection.labelSelector, selection.fieldSelector, selection.namespace].every(
      (part) => part === undefined,
    );
    this.store = new Store(guarded(options.indexers, options.log));
    this.matches = matcherOf(selection);
    this.#freshness = new Freshness({
      ...options.clock,
      look: () => this.#currentVersion(),
      onRewound: () => this.#reflector?.beginAnew(),
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#resolveSynced = resolve;
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** When the API server told anything last, be it that nothing happened; by the clock of `performance`. 0: never. */
  get toldAtMs(): number {
    return this.#toldAtMs;
  }

  /** Has `handler` called with every change from now on. What it throws is logged, and stops nothing. */
  onChange(handler: (change: Change) => void): void {
    this.#handlers.push(handler);
  }

  /** Watches until `signal` aborts. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    const { client, resource, selection, timing, metrics, log } = this.#options;
    const sink: Sink = {
      prepare: (object) => this.#prepare(object),
      replace: (objects, version) => {
        this.#toldAtMs = performance.now();
        if (this.#gathered === undefined) this.#takeIn(objects, version);
        else this.#gathered.replace(objects, version);
        this.#isSynced = true;
        this.#resolveSynced();
      },
      change: (type, object) => {
        this.#toldAtMs = performance.now();
        const changes = (this.#gathered ?? this.store).observe(type, object);
        if (this.#gathered !== undefined) return;
        this.#tell(changes);
        this.#freshness.told(this.store.seenVersion);
      },
      advance: (version) => {
        this.#toldAtMs = performance.now();
        (this.#gathered ?? this.store).advance(version);
        if (this.#gathered === undefined) this.#freshness.told(this.store.seenVersion);
      },
    };
    const look = () => this.#currentVersion();
    this.#reflector = new Reflector({ client, resource, selection, sink, look, timing, metrics, log });
    return this.#reflector.run(signal);
  }

  /** Holds what was kept of an earlier time, until `release`: what the API server tells, and has told, is gathered beside it. */
  recall(objects: Iterable<KubeObject>): void {
    this.#gathered = new Store();
    if (this.#isSynced) this.#gathered.replace(this.store.list(), String(this.store.seenVersion));
    this.#tell(this.store.recall(objects));
  }

  /** Puts what was gathered in place of what was recalled, as if it had been told just now. Only once everything was told. */
  release(): void {
    const gathered = this.#gathered;
    if (gathered === undefined) return;
    this.#gathered = undefined;
    this.#takeIn(gathered.list(), String(gathered.seenVersion));
  }

  /** Takes in the answer to a write of our own, so that the next reconcile does not act on the past. */
  observeWrite(object: KubeObject): void {
    if (!this.#isLive || !this.matches(object)) return;
    const prepared = this.#prepare(this.#project(object));
    if (prepared !== undefined) this.#tell(this.store.observeWrite(prepared));
  }

  /** A write of an object of the kind that was sent then has made `version`; one that changed nothing has not. */
  observeVersion(version: string | undefined, sentAtMs: number): void {
    if (this.#isLive) this.#freshness.wrote(toVersion(version), sentAtMs);
  }

  /** Whether the store has learned of all that was written before this was called; false where that cannot be told in a moment. */
  async isFresh(): Promise<boolean> {
    return this.#isLive && (await this.#freshness.isProven());
  }

  /** Takes in that our own delete took effect. */
  observeRemoval(object: { readonly namespace?: string; readonly name: string; readonly uid: string }): void {
    this.#tell(this.store.observeRemoval(keyString(object), object.uid));
  }

  /** Whether the store holds what the API server told. */
  get #isLive(): boolean {
    return this.#isSynced && this.#gathered === undefined;
  }

  #takeIn(objects: Iterable<KubeObject>, version: string): void {
    this.#tell(this.store.replace(objects, version));
    this.#freshness.startAnew(this.store.seenVersion);
  }

  /** The version that everything of the kind is at: lists tell it, also one of a single name. */
  async #currentVersion(): Promise<bigint> {
    const { client, resource, selection } = this.#options;
    const namespace = resource.namespaced ? (selection.namespace ?? ANY_NAMESPACE) : undefined;
    const { fieldSelector = '' } = selection;
    for await (const { resourceVersion } of client.list(resource, {
      namespace,
      ...OF_NOTHING,
      ...(ONE_NAME.test(fieldSelector) && { fieldSelector }),
      effort: BRIEFLY,
    })) {
      const version = toVersion(resourceVersion);
      if (version > 0n) return version;
    }
    throw new Error(`a list of ${resource.plural} tells no version`);
  }

  #prepare(object: KubeObject): KubeObject | undefined {
    const { trim } = this.#options;
    const light = withoutBallast(object);
    return trim === undefined ? light : trim(light);
  }

  #project(object: KubeObject): KubeObject {
    if (this.selection.metadataOnly !== true) return object;
    return { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata: object.metadata };
  }

  #tell(changes: readonly Change[]): void {
    for (const change of changes) {
      for (const handler of this.#handlers) this.#call(handler, change);
    }
    if (changes.length > 0) {
      this.#options.metrics.watchObjects.set({ resource: this.resource.plural }, this.store.size);
    }
  }

  #call(handler: (change: Change) => void, change: Change): void {
    try {
      handler(change);
    } catch (error) {
      const { log } = this.#options;
      log.error({ watch: this.resource.plural, err: error, ...keyFields(change) }, 'a watch handler threw');
    }
  }
}

/** Whether an object is among what `selection` watches. Unknown (field selectors) counts as no. */
function matcherOf(selection: Selection): (object: KubeObject) => boolean {
  const { namespace, labelSelector, fieldSelector } = selection;
  if (fieldSelector !== undefined) return () => false;
  const matchesLabels = labelSelector === undefined ? () => true : labelMatcher(labelSelector);
  return ({ metadata }) =>
    (namespace === undefined || metadata.namespace === namespace) && matchesLabels(metadata.labels ?? {});
}

/** An index function that throws finds nothing, and the watch lives on. */
function guarded(indexers: Indexers, log: Log): Indexers {
  const entries = Object.entries(indexers).map(([name, of]) => {
    const guard = (object: KubeObject) => {
      try {
        return of(object);
      } catch (error) {
        log.error({ index: name, err: error, ...keyOf(object) }, 'an index function threw');
        return [];
      }
    };
    return [name, guard] as const;
  });
  return Object.fromEntries(entries);
}

function keyFields(change: Change) {
  const object = change.object ?? change.old;
  return object === undefined ? {} : keyOf(object);
}
