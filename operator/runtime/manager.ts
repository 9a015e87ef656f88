// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import type { KubeObject, Resource } from '../core/object.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Archive } from './archive.ts';
import type { Client } from './client.ts';
import { Cache, type WatchTarget } from './cache.ts';
import { type CatchUp, catchUp } from './catch-up.ts';
import {
  type AnyController,
  type IndexDeclaration,
  isUrgent,
  type Key,
  keyOf,
  keyString,
  parseKey,
  turnOf,
  type Watch,
} from './controller.ts';
import { EventRecorder } from './events.ts';
import { DEFAULT_LEASE_MS, LeaderElector, type LeaderElectionOptions } from './leader-election.ts';
import type { Reconciler } from './reconcile.ts';
import { Reconcilers } from './reconcilers.ts';
import { REFLECTOR_TIMING, type ReflectorTiming } from './reflector.ts';
import { boardOf, leadAmongShards } from './shards/lead.ts';
import { ShardMember } from './shards/shard-member.ts';
import { ShardedWork, type ShardingOptions } from './shards/sharded-work.ts';
import type { Change } from './store.ts';
import { type AddWithin, Wakes } from './wakes.ts';
import { Workers } from './workers.ts';
import { workerShares } from './worker-shares.ts';
import { WorkQueue } from './workqueue.ts';

/** What a manager runs, and with what. */
export interface ManagerOptions {
  readonly client: Client;
  readonly controllers: readonly AnyController[];
  readonly indexes?: readonly IndexDeclaration[];
  /** Of this process, unlike that of any other: pod name, or host and pid. */
  readonly identity: string;
  /** Undefined: this process always writes. Only for a single replica. */
  readonly leaderElection?: LeaderElectionOptions | undefined;
  /** Told when this process begins to write, before anything is reconciled, and when it ceases to. */
  readonly onLead?: (isLeading: boolean) => void;
  /**
   * Several processes write at the same time, each what is in its shards; who leads writes what is in none. Undefined: who leads
   * writes all. Needs `leaderElection`.
   */
  readonly sharding?: ShardingOptions | undefined;
  /** What a new leader must know no worse than the one before it did. */
  readonly catchUp?: readonly CatchUp[];
  /** With shards, in place of `onLead`: told which objects this process works on anew, before any of them is reconciled. */
  readonly onGain?: (isGained: (resource: Resource, key: Key) => boolean) => void;
  /** Watch and reconcile namespaced kinds in this namespace only; undefined means all. */
  readonly namespace?: string | undefined;
  /** Reconciles at the same time, of each controller. Default 16. */
  readonly concurrency?: number;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Where records of objects go that are removed for their age. */
  readonly archive?: Archive | undefined;
  /** Times of the watches; for tests. */
  readonly timing?: Partial<ReflectorTiming>;
}

/** Runs controllers: watches, queues, election and the loop. */
export interface Manager {
  /**
   * Starts everything; resolves when the stores are filled. Reconciling starts then, when this process
   * leads.
   */
  start(): Promise<void>;
  /** Ends in order: no new work, what is under way finishes, the lease is given back, watches end. */
  stop(): Promise<void>;
  /** Whether the stores are filled. A standby is ready too. */
  ready(): boolean;
  /** Whether this process may write at this moment. */
  isLeader(): boolean;
}

/** Of a key that fails: 50 ms, doubled up to five minutes. */
const QUEUE_BACKOFF = { baseMs: 50, maxMs: 300_000, jitter: 0.2 };
const DEFAULT_CONCURRENCY = 16;
/** What is under way at a stop may take so long; requests end before that. */
const DRAIN_MS = 10_000;
const EVENTS_FLUSH_MS = 2000;

/** A manager of `options.controllers`; nothing happens before `start`. */
export function createManager(options: ManagerOptions): Manager {
  return new ControllerManager(options);
}

class ControllerManager implements Manager {
  readonly #options: ManagerOptions;
  readonly #elector: LeaderElector | undefined;
  readonly #cache: Cache;
  readonly #recorder: EventRecorder;
  /** Undefined where one process does all. */
  readonly #shards: { readonly work: ShardedWork; readonly member: ShardMember } | undefined;
  readonly #workers: readonly Workers[];
  readonly #reconcilers: Reconcilers;
  readonly #watching = new AbortController();
  #watches: Promise<void> | undefined;
  #isSynced = false;
  #isStopped = false;

  constructor(options: ManagerOptions) {
    const { client, metrics, log, identity } = options;
    this.#options = options;
    const timing = { ...REFLECTOR_TIMING, ...options.timing };
    this.#cache = new Cache({ client, timing, metrics, log, indexes: options.indexes ?? [] });
    this.#elector = this.#candidate();
    this.#shards = this.#shardsOf();
    const fence = this.#shards?.work.anyFence ?? this.#elector?.fence;
    const fenced = fence === undefined ? client : client.withFence(fence);
    this.#recorder = new EventRecorder({ client: fenced, identity, metrics, log });
    const { archive } = options;
    this.#reconcilers = new Reconcilers({
      client,
      cache: this.#cache,
      recorder: this.#recorder,
      metrics,
      log,
      archive,
    });
    this.#workers = options.controllers.map((controller) => {
      const reconciler =
        this.#shards?.work.reconciler(controller) ?? this.#reconcilers.of(controller, this.#elector?.fence);
      return this.#hire(controller, reconciler);
    });
    this.#shards?.work.watch();
  }

  async start(): Promise<void> {
    const { synced, ended } = this.#cache.start(this.#watching.signal);
    this.#watches = ended;
    // A standby takes part in the election only once it could do the work.
    await Promise.race([synced, ended]);
    if (this.#watching.signal.aborted) return;
    this.#isSynced = true;
    for (const workers of this.#workers) workers.start();
    if (this.#shards !== undefined) for (const workers of this.#workers) workers.resume();
    if (this.#elector === undefined) this.#lead(true);
    else this.#elector.start();
    this.#shards?.member.start();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    await Promise.all(this.#workers.map((workers) => workers.stop(DRAIN_MS)));
    await this.#recorder.flush(EVENTS_FLUSH_MS);
    await Promise.all([this.#shards?.member.stop(), this.#elector?.stop()]);
    this.#watching.abort();
    await this.#watches;
  }

  ready(): boolean {
    return this.#isSynced && !this.#isStopped;
  }

  isLeader(): boolean {
    return !this.#isStopped && (this.#elector?.isLeader() ?? this.#isSynced);
  }

  #candidate(): LeaderElector | undefined {
    const { client, identity, log, leaderElection, sharding } = this.#options;
    if (leaderElection === undefined) {
      if (sharding !== undefined) throw new Error('shards need leader election');
      return undefined;
    }
    const board = boardOf({ ...leaderElection, client, identity });
    return new LeaderElector({
      ...leaderElection,
      ...(leaderElection.amongShards === true &&
        leadAmongShards({ board, count: sharding?.count ?? 0, prepare: () => this.#catchUp() })),
      client,
      identity,
      log,
      onChange: (isLeading) => this.#lead(isLeading),
    });
  }

  async #catchUp(): Promise<void> {
    const { client, identity, catchUp: kinds = [] } = this.#options;
    const claim = `${identity} ${randomUUID()}`;
    for (const kind of kinds) await catchUp(kind, { client, cache: this.#cache, claim });
  }

  #shardsOf() {
    const { client, identity, log, metrics, leaderElection, sharding } = this.#options;
    if (leaderElection === undefined || sharding === undefined) return undefined;
    const work = new ShardedWork({
      ...sharding,
      cache: this.#cache,
      watch: (target, handler) => this.#watch(target, handler),
      metrics,
      reconcilerOf: (controller, fence) => this.#reconcilers.of(controller, fence),
      onGain: (isGained) => this.#options.onGain?.(isGained),
    });
    const where = { leaseDurationMs: DEFAULT_LEASE_MS, ...leaderElection, client, identity };
    const member = new ShardMember({
      ...where,
      board: boardOf(where),
      count: sharding.count,
      log,
      onGain: (shards) => work.gain(shards),
      onLose: (shard) => work.lose(shard),
      drain: (shard) => work.drain(shard),
    });
    return { work, member };
  }

  #lead(isLeading: boolean): void {
    this.#options.metrics.leader.set({}, isLeading ? 1 : 0);
    if (this.#shards !== undefined && this.#elector !== undefined) {
      if (isLeading) this.#shards.work.gain(new Map([['lead', this.#elector.fence]]));
      else this.#shards.work.lose('lead');
      return;
    }
    this.#options.onLead?.(isLeading);
    for (const workers of this.#workers) {
      if (isLeading) workers.resume();
      else workers.pause();
    }
  }

  #hire(controller: AnyController, reconciler: Pick<Reconciler, 'reconcile'>): Workers {
    const { metrics, log, concurrency = DEFAULT_CONCURRENCY } = this.#options;
    const queue = new WorkQueue({
      name: controller.name,
      backoff: QUEUE_BACKOFF,
      metrics,
      groupOf: (key) => this.#groupOf(controller, key),
      isUrgent: (key) =>
        isUrgent(controller, this.#cache.get(controller.resource, parseKey(key)), this.#cache),
      restMs: (key) => controller.restMs?.(parseKey(key)) ?? 0,
      ...workerShares(concurrency),
    });
    const work = this.#shards?.work;
    work?.join(controller, (key) => queue.add(key));
    const add: AddWithin = (key, withinMs) => {
      if (work?.isOurs(controller, key) !== false) queue.addWithin(key, withinMs);
    };
    this.#watch({ resource: controller.resource, ...controller.selects }, (change) => {
      const object = change.object ?? change.old;
      if (object === undefined || !isLookedAt(controller, object)) return;
      add(keyString(keyOf(object)), controller.patienceMs?.(change, this.#cache) ?? 0);
    });
    const wakes = new Wakes(add);
    for (const watch of controller.watches) this.#watch(watch, (change) => this.#wake(watch, change, wakes));
    controller.wakesItself?.((key, withinMs = 0) => add(keyString(key), withinMs));
    return new Workers({ queue, concurrency, controller: controller.name, reconciler, metrics, log });
  }

  #watch(target: WatchTarget, handler: (change: Change) => void): void {
    const namespace = target.resource.namespaced ? (target.namespace ?? this.#options.namespace) : undefined;
    const { namespace: _, ...rest } = target;
    this.#cache.watch(namespace === undefined ? rest : { ...rest, namespace }, handler);
  }

  /** Wakes whom the old and the new object name: one that lost its owner wakes the old owner as well. */
  #wake(watch: Watch, change: Change, wakes: Wakes): void {
    const withinMs = watch.patienceMs?.(change, this.#cache) ?? 0;
    // Whom it would wake may be many, and is not worth to be found out.
    if (withinMs === Infinity) return;
    for (const one of [change.old, change.object]) {
      if (one !== undefined) wakes.wake(watch.keys(one, this.#cache), withinMs);
    }
  }

  #groupOf(controller: AnyController, key: string): string {
    const parsed = parseKey(key);
    const object = this.#cache.get(controller.resource, parsed);
    return turnOf(controller, { key: parsed, object }, this.#cache);
  }
}

function isLookedAt({ finalizesOnly }: AnyController, { metadata }: KubeObject): boolean {
  return finalizesOnly !== true || metadata.deletionTimestamp !== undefined;
}
