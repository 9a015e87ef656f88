// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../telemetry/log.ts';
import { jittered } from '../backoff.ts';
import type { Client } from '../client.ts';
import { LeaderElector } from '../leader-election.ts';
import type { Fence } from '../request-limit.ts';
import { dealShards } from './deal.ts';
import type { ShardBoard } from './shard-board.ts';
import { annotateLease, shardLeaseName } from './shard-lease.ts';

/** A process that takes its part of the shards, and whom to tell. Times in milliseconds. */
export interface ShardMemberOptions {
  readonly client: Client;
  readonly board: ShardBoard;
  readonly namespace: string;
  /** Name of the Lease of the lead. */
  readonly name: string;
  readonly identity: string;
  /** Number of shards. */
  readonly count: number;
  readonly leaseDurationMs: number;
  readonly log: Log;
  /** This process may work on these from now on, each under its fence. */
  readonly onGain: (shards: ReadonlyMap<number, Fence>) => void;
  /** It may not any more. */
  readonly onLose: (shard: number) => void;
  /** Begins nothing more for a shard; resolves with whether all that was begun is over. */
  readonly drain: (shard: number) => Promise<boolean>;
}

/** The shares of a lease after which a holder stops, renews, and looks at those of others. */
const DEADLINE = 0.7;
const RENEWAL = 0.3;
const LOOK = 0.15;
/** A little after a lease has run out, so that it is seen to have. */
const AFTER_END_MS = 20;

/**
 * Takes part in dealing out shards until stopped. Each shard is an election of its own, with the rules and the fence of
 * `LeaderElector`: that two never hold one does not depend on what members believe of each other. What is decided here is only which
 * of them this process runs for.
 */
export class ShardMember {
  readonly #options: ShardMemberOptions;
  readonly #stop = new AbortController();
  readonly #electors = new Map<number, { readonly elector: LeaderElector; readonly sinceMs: number }>();
  readonly #leaving = new Set<number>();
  /** What is being given back, which the board does not show yet. */
  readonly #stopping = new Set<number>();
  /** What was given back since the board was looked at. */
  readonly #stopped = new Set<number>();
  #gained = new Map<number, Fence>();
  #running: Promise<void> | undefined;

  constructor(options: ShardMemberOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Gives back all that it holds. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await Promise.all([...this.#electors.values()].map(({ elector }) => elector.stop()));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { log, board, leaseDurationMs } = this.#options;
    while (!signal.aborted) {
      await this.#step().catch((error: unknown) => log.warn({ err: error }, 'shards: a look failed'));
      const periodMs = jittered(leaseDurationMs * LOOK, 0.1, Math.random());
      const waitMs = Math.min(periodMs, board.nextEndMs() + AFTER_END_MS);
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #step(): Promise<void> {
    const { board, identity, count, leaseDurationMs } = this.#options;
    this.#stopped.clear();
    await board.look();
    if (this.#stop.signal.aborted || board.count === undefined) return;
    if (board.count !== count) return this.#leaveAll();
    const shards = board.view(count);
    const patienceMs = leaseDurationMs * LOOK * 2;
    const deal = dealShards({ self: identity, shards, patienceMs });
    for (const index of deal.giveUp) void this.#giveUp(index);
    this.#forgetLosers();
    // What is written as ours and is not held is of this process before it was started anew, or stalled.
    const ours = shards.filter(({ holder }) => holder === identity).map(({ index }) => index);
    for (const index of new Set([...deal.take, ...ours])) this.#take(index);
    await Promise.all(deal.claim.map((index) => board.claim(index)));
  }

  /** Who leads deals out otherwise, or not at all. */
  #leaveAll(): void {
    for (const index of this.#electors.keys()) void this.#giveUp(index);
  }

  /** Elections that somebody else has won: whether to run again is decided anew. */
  #forgetLosers(): void {
    const longMs = this.#options.leaseDurationMs * RENEWAL;
    for (const [index, { elector, sinceMs }] of this.#electors) {
      if (elector.isLeader() || this.#leaving.has(index) || performance.now() - sinceMs < longMs) continue;
      void this.#drop(index, elector, { release: true });
    }
  }

  #take(index: number): void {
    if (this.#electors.has(index) || this.#stopping.has(index) || this.#stopped.has(index)) return;
    const { client, board, namespace, name, identity, count, leaseDurationMs } = this.#options;
    const elector: LeaderElector = new LeaderElector({
      client,
      identity,
      log: this.#options.log.child({ shard: index }),
      namespace,
      name: shardLeaseName(name, index),
      leaseDurationMs,
      renewDeadlineMs: leaseDurationMs * DEADLINE,
      retryPeriodMs: leaseDurationMs * RENEWAL,
      seen: board.sightingOf(index),
      annotate: annotateLease(count),
      confirm: async () => {
        await board.look();
        return board.count === count;
      },
      onChange: (isLeading) => this.#tell(index, elector, isLeading),
    });
    this.#electors.set(index, { elector, sinceMs: performance.now() });
    elector.start();
  }

  #tell(index: number, elector: LeaderElector, isLeading: boolean): void {
    if (this.#electors.get(index)?.elector !== elector) return;
    if (!isLeading) {
      void this.#drop(index, elector, { release: true });
      return;
    }
    // Those that come together are told together: all objects are gone through for it.
    if (this.#gained.size === 0) setImmediate(() => this.#tellGained());
    this.#gained.set(index, elector.fence);
  }

  #tellGained(): void {
    const gained = this.#gained;
    this.#gained = new Map();
    if (gained.size > 0) this.#options.onGain(gained);
  }

  /** Gives a shard to who asked for it, when nothing of it is under way; else it runs out, as somebody may not have ended by then. */
  async #giveUp(index: number): Promise<void> {
    const held = this.#electors.get(index);
    if (held === undefined || this.#leaving.has(index)) return;
    this.#leaving.add(index);
    const release = await this.#options.drain(index);
    await this.#drop(index, held.elector, { release });
  }

  async #drop(index: number, elector: LeaderElector, how: { readonly release: boolean }): Promise<void> {
    if (this.#electors.get(index)?.elector !== elector) return;
    this.#stopping.add(index);
    this.#electors.delete(index);
    this.#leaving.delete(index);
    this.#gained.delete(index);
    this.#options.onLose(index);
    await elector.stop(how);
    this.#stopping.delete(index);
    this.#stopped.add(index);
  }
}
