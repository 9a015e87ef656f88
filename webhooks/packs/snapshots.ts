// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '#operator/core/object';
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import { buildSnapshot, packKey, type Snapshot } from '#operator/core/policy/snapshot';
import type { LoadedRevision } from '#operator/policy/packs/load';
import type { Log } from '#operator/telemetry/log';
import { keyOf, type PackCluster } from './cluster.ts';
import type { PackMetrics } from './metrics.ts';
import type { RevisionModules } from './inventories.ts';
import type { StateFolder } from './state-folder.ts';

/** A snapshot, and the modules of its revisions: whoever is at work with it has them until done, whatever is loaded since. */
export interface Standing {
  readonly snapshot: Snapshot;
  readonly loaded: ReadonlyMap<string, LoadedRevision>;
}

/** What snapshots are built from, and with. */
export interface SnapshotsOptions {
  readonly cluster: PackCluster;
  readonly modules: RevisionModules;
  readonly state: StateFolder;
  readonly metrics: PackMetrics;
  readonly log: Log;
}

/** For so long at most, a replica that cannot load what is active stays out of service for that. */
const PATIENCE_MS = 20_000;
/** Changes within so short a time come to one snapshot. */
const TOGETHER_MS = 10;
/** Of its time, building snapshots takes a twentieth at most; but what is decided by is never older than this. */
const SHARE = 20;
const AT_LATEST_MS = 250;

/**
 * Keeps the snapshot that requests are judged by: built anew when something changes, and put in place of the one before as a
 * whole. Who is at work with that one goes on with it.
 */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #listeners = new Set<(standing: Standing) => void>();
  /** By which revision each pack is decided, by `namespace/name` of the pack. */
  readonly #enforced = new Map<string, string>();
  #current: Standing | undefined;
  #timer: NodeJS.Timeout | undefined;
  #kept = '';
  #startedAt: number | undefined;
  #buildMs = 0;
  #isReady = false;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** What is judged by now; undefined before there was anything. */
  get current(): Standing | undefined {
    return this.#current;
  }

  /** Whether every active pack is loaded, or has been waited for long enough. Once so, it stays so: others come later. */
  get isReady(): boolean {
    if (this.#isReady || this.#current === undefined) return this.#isReady;
    const waitedMs = performance.now() - (this.#startedAt ?? performance.now());
    const isWhole = this.#current.snapshot.behind.length === 0;
    this.#isReady = (isWhole && this.#options.modules.isSettled) || waitedMs > PATIENCE_MS;
    return this.#isReady;
  }

  /** Whether something has changed that no snapshot has yet. */
  get isDue(): boolean {
    return this.#timer !== undefined;
  }

  /** Begins, once the watches have told what there is. */
  async start(): Promise<void> {
    const { cluster, state } = this.#options;
    for (const object of await state.readEnforced()) {
      const { packRef } = object['spec'] as PolicyPackRevisionSpec;
      cluster.remember(object);
      this.#enforced.set(`${object.metadata.namespace ?? ''}/${packRef.name}`, keyOf(object));
    }
    this.#startedAt = performance.now();
    this.#build();
  }

  /** Something has changed. */
  readonly changed = (): void => {
    if (this.#startedAt === undefined) return;
    const waitMs = Math.min(Math.max(TOGETHER_MS, this.#buildMs * SHARE), AT_LATEST_MS);
    this.#timer ??= setTimeout(() => this.#build(), waitMs);
  };

  /** Builds what is judged by anew at once: all that it is built from is another. */
  renew(): void {
    if (this.#startedAt === undefined) return;
    clearTimeout(this.#timer);
    this.#build();
  }

  /** Has `listener` called with each snapshot from now on. */
  onSnapshot(listener: (standing: Standing) => void): void {
    this.#listeners.add(listener);
  }

  /** Resolves with the next snapshot, or after so many milliseconds. */
  next(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      this.#listeners.add(done);
    });
  }

  /** Ends what it does by itself. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#startedAt = undefined;
  }

  #build(): void {
    this.#timer = undefined;
    const { cluster, modules, log } = this.#options;
    const from = performance.now();
    const packs = cluster.packs();
    modules.want(cluster.wanted(packs, this.#enforced));
    const snapshot = buildSnapshot(cluster.snapshotInput(packs, this.#enforced, modules));
    if (snapshot.digest !== this.#current?.snapshot.digest)
      log.info({ snapshot: snapshot.digest, packs: snapshot.packs.length }, 'deciding by another snapshot');
    this.#buildMs = performance.now() - from;
    const standing = { snapshot, loaded: loadedOf(snapshot, modules) };
    this.#current = standing;
    this.#note(snapshot);
    this.#measure(snapshot);
    for (const listener of this.#listeners) listener(standing);
  }

  /** Remembers what is decided by, for when it cannot be loaded once: a part of it may be gone, or this process. */
  #note(snapshot: Snapshot): void {
    const { cluster, state } = this.#options;
    const before = new Map(this.#enforced);
    this.#enforced.clear();
    for (const { pack, active } of snapshot.packs) {
      // What decided before is not forgotten because nothing is loaded yet.
      const key = active?.isLoaded === true ? active.key : before.get(packKey(pack));
      if (key !== undefined && active !== undefined) this.#enforced.set(packKey(pack), key);
    }
    const objects = [...this.#enforced.values()].flatMap((key) => cluster.revision(key) ?? []);
    for (const object of objects) cluster.remember(object);
    cluster.forgetAllBut(new Set(this.#enforced.values()));
    const kept = [...this.#enforced.values()].toSorted().join(' ');
    if (kept === this.#kept) return;
    this.#kept = kept;
    void state.saveEnforced(objects, new Set(objects.flatMap(digestsOf)));
  }

  #measure({ packs, behind }: Snapshot): void {
    const { metrics } = this.#options;
    metrics.packs.set({}, packs.filter(({ active }) => active !== undefined).length);
    metrics.behind.set({}, behind.length);
  }
}

function loadedOf({ packs }: Snapshot, modules: RevisionModules): ReadonlyMap<string, LoadedRevision> {
  const revisions = packs.flatMap(({ active, candidate }) => [active ?? [], candidate ?? []].flat());
  return new Map(
    revisions.flatMap(({ key }) => {
      const loaded = modules.loaded(key);
      return loaded === undefined ? [] : [[key, loaded] as const];
    }),
  );
}

function digestsOf(object: KubeObject): readonly string[] {
  const { module, data } = object['spec'] as PolicyPackRevisionSpec;
  return data === undefined ? [module.digest] : [module.digest, data.digest];
}
