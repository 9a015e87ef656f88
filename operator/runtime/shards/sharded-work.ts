// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '../../core/object.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Cache, WatchTarget } from '../cache.ts';
import { type AnyController, type Key, keyOf, keyString, parseKey } from '../controller.ts';
import type { Outcome, Reconciler } from '../reconcile.ts';
import type { Fence } from '../request-limit.ts';
import { labelMatcher } from '../selector.ts';
import type { Change } from '../store.ts';
import type { Partition } from './partition.ts';
import { shardOf } from './shard-lease.ts';
import { type Part, Tenures } from './tenures.ts';

/** How work is dealt out among processes that work at the same time. */
export interface ShardingOptions {
  /** Number of shards. The same for all processes. */
  readonly count: number;
  readonly partition: Partition;
  /** A kind whose objects are counted by shard, for metrics. */
  readonly counted: Resource;
}

/** What sharded work is done with. */
export interface ShardedWorkOptions extends ShardingOptions {
  readonly cache: Cache;
  /** Has a handler called with every change of a kind. */
  readonly watch: (target: WatchTarget, handler: (change: Change) => void) => void;
  readonly metrics: Metrics;
  /** Makes what reconciles a kind while `fence` holds. */
  readonly reconcilerOf: (controller: AnyController, fence: Fence) => Pick<Reconciler, 'reconcile'>;
  /** Told which objects this process works on anew, before the first of them is reconciled. */
  readonly onGain: (isGained: (resource: Resource, key: Key) => boolean) => void;
}

interface Member {
  readonly controller: AnyController;
  readonly add: (key: string) => void;
}

/** What is under way for a part that is given away may take so long; requests end before that. */
const DRAIN_MS = 10_000;

/**
 * What of all work is this process's: keys of others are neither queued nor reconciled. All is decided by what the stores say at that
 * moment; it may be wrong for a moment, so what is written is fenced by the Lease of the part and by versions of objects.
 */
export class ShardedWork {
  readonly #options: ShardedWorkOptions;
  readonly #tenures: Tenures<Pick<Reconciler, 'reconcile'>>;
  readonly #members: Member[] = [];
  readonly #counts = new Map<number, number>();

  constructor(options: ShardedWorkOptions) {
    this.#options = options;
    this.#tenures = new Tenures((name, fence) => {
      const controller = this.#members.find((one) => one.controller.name === name)?.controller;
      if (controller === undefined) throw new Error(`no controller is named ${name}`);
      return options.reconcilerOf(controller, fence);
    });
  }

  /** The fence of what belongs to no part: Events. */
  get anyFence(): Fence {
    return this.#tenures.anyFence;
  }

  /** Has `add` called with keys that this process begins to work on. */
  join(controller: AnyController, add: (key: string) => void): void {
    this.#members.push({ controller, add });
  }

  /** Counts, and follows what moves from one part to another. To be called when all have joined. */
  watch(): void {
    const { watch, counted, partition, count } = this.#options;
    watch({ resource: counted }, ({ old, object }) => {
      const { name } = (object ?? old)?.metadata ?? { name: '' };
      const by = Number(object !== undefined) - Number(old !== undefined);
      const shard = shardOf(name, count);
      this.#counts.set(shard, (this.#counts.get(shard) ?? 0) + by);
      if (by !== 0) this.#gauge();
    });
    for (const { namespaces, moved, ...target } of partition.moves) {
      watch(target, (change) => this.#moved(namespaces(change), moved));
    }
  }

  /** Whether what a key names is worked on here. */
  isOurs({ resource }: AnyController, key: string): boolean {
    return this.#tenures.open(this.#partOf(resource, parseKey(key))) !== undefined;
  }

  /** A reconciler of that kind that passes over what is not worked on here: who does, has it in its queue. */
  reconciler({ name, resource }: AnyController): Pick<Reconciler, 'reconcile'> {
    const passed: Outcome = { kind: 'done' };
    return {
      reconcile: (key) => {
        const tenure = this.#tenures.open(this.#partOf(resource, key));
        return tenure === undefined
          ? Promise.resolve(passed)
          : tenure.run(() => tenure.of(name).reconcile(key));
      },
    };
  }

  /** This process may work on these parts from now on. */
  gain(fences: ReadonlyMap<Part, Fence>): void {
    for (const [part, fence] of fences) this.#tenures.begin(part, fence);
    const isGained = (resource: Resource, key: Key) => fences.has(this.#partOf(resource, key));
    this.#options.metrics.shardChangesTotal.inc({ change: 'gained' }, shardsOf(fences.keys()));
    this.#gauge();
    this.#options.onGain(isGained);
    for (const { controller, add } of this.#members) {
      const { cache } = this.#options;
      for (const object of cache.list(controller.resource)) addIf(object, { controller, add }, isGained);
    }
  }

  /** It may not work on that part any more. */
  lose(part: Part): void {
    if (this.#tenures.has(part)) {
      this.#options.metrics.shardChangesTotal.inc({ change: 'lost' }, shardsOf([part]));
    }
    this.#tenures.end(part);
    this.#gauge();
  }

  /** Begins nothing more of a part. Resolves with whether all of it that was begun is over. */
  drain(part: Part): Promise<boolean> {
    return this.#tenures.drain(part, DRAIN_MS);
  }

  #moved(namespaces: readonly string[], moved: Resource | undefined): void {
    // While stores are filled for the first time, all is news: who gains a part looks at all of it anyway.
    if (namespaces.length === 0 || this.#tenures.isIdle) return;
    const isOurs = (resource: Resource, key: Key) =>
      this.#tenures.open(this.#partOf(resource, key)) !== undefined;
    const members = this.#members.filter(
      ({ controller: { resource } }) => resource.namespaced && (moved === undefined || moved === resource),
    );
    for (const namespace of namespaces) {
      for (const member of members) {
        const { resource } = member.controller;
        for (const object of this.#options.cache.list(resource, { namespace })) addIf(object, member, isOurs);
      }
    }
  }

  #partOf(resource: Resource, key: Key): Part {
    const { cache, partition, count } = this.#options;
    const group = partition.groupOf(resource, key, cache);
    return group === undefined ? 'lead' : shardOf(group, count);
  }

  #gauge(): void {
    const { metrics, count } = this.#options;
    const held = Array.from({ length: count }, (_, index) => index).filter((one) => this.#tenures.has(one));
    metrics.shards.set({}, held.length);
    metrics.shardTenants.set(
      {},
      held.reduce((sum, one) => sum + (this.#counts.get(one) ?? 0), 0),
    );
  }
}

/** Adds an object that its controller looks at. */
function addIf(
  object: KubeObject,
  { controller, add }: Member,
  isWanted: (resource: Resource, key: Key) => boolean,
): void {
  const { selects, finalizesOnly, resource } = controller;
  if (finalizesOnly === true && object.metadata.deletionTimestamp === undefined) return;
  if (selects?.labelSelector !== undefined && !matcherOf(selects.labelSelector)(object.metadata.labels ?? {}))
    return;
  const key = keyOf(object);
  if (isWanted(resource, key)) add(keyString(key));
}

const matchers = new Map<string, ReturnType<typeof labelMatcher>>();

function matcherOf(selector: string): ReturnType<typeof labelMatcher> {
  let matcher = matchers.get(selector);
  if (matcher === undefined) {
    matcher = labelMatcher(selector);
    matchers.set(selector, matcher);
  }
  return matcher;
}

function shardsOf(parts: Iterable<Part>): number {
  return [...parts].filter((part) => part !== 'lead').length;
}
