// SPDX-License-Identifier: Apache-2.0
import type { Metrics } from '../telemetry/metrics.ts';
import { type BackoffPolicy, backoffMs } from './backoff.ts';
import { DelayQueue } from './delay-queue.ts';
import { FairQueue, type Urgency } from './fair-queue.ts';
import { GroupCount } from './group-count.ts';

/** How a queue is made. */
export interface WorkQueueOptions {
  /** Label of its metrics: the controller. */
  readonly name: string;
  /** Fairness group of a key at this moment. */
  readonly groupOf: (key: string) => string;
  /** Whether a key goes before the others of its group at this moment; by default none does. */
  readonly isUrgent?: (key: string) => Urgency;
  /**
   * So many keys of one group are worked on at the same time at most; by default there is no such limit. With fewer than there are
   * workers, who comes from another group never waits until one of those is done, however long each of them takes.
   */
  readonly mostOfGroup?: number;
  /**
   * The same while anything of another group is worked on, and for two seconds after it was begun: what that does next finds little in its way. A key that was begun
   * more than half a second ago is not among them: it waits for something slow, and others of its group need not.
   */
  readonly mostBesideOthers?: number;
  /** How long it is still too soon to work on a key again, in milliseconds; by default it never is. */
  readonly restMs?: (key: string) => number;
  readonly backoff: BackoffPolicy;
  readonly metrics: Metrics;
  /** A clock in milliseconds that never goes back, by which others are there; for tests. */
  readonly now?: () => number;
}

/** What is asked for once is most often followed by more of the same. */
const OTHERS_MS = 2000;
/** Longer than a pass takes on a machine that is busy: what takes more waits, and keeps nobody from anything. */
const LONG_MS = 500;

/** A key that is worked on. */
interface Work {
  readonly group: string;
  /** Since when, for metrics. */
  readonly since: number;
  /** When it was given out, by the clock of the queue. */
  readonly atMs: number;
}

/**
 * Keys to work on, as client-go has it: a key waits once however often it is added, is worked on by one
 * worker at a time, and is worked on again when it was added meanwhile. Starts paused: nothing is taken
 * before `resume`.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #ready = new FairQueue();
  readonly #delayed: DelayQueue;
  /** Keys that wait or must be worked on again, with the time since when. */
  readonly #dirtySince = new Map<string, number>();
  readonly #working = new Map<string, Work>();
  readonly #workingOf = new GroupCount();
  readonly #failures = new Map<string, number>();
  /** The two groups of which something was begun last, the latest first. */
  #latest: readonly { readonly group: string; readonly atMs: number }[] = [];
  #takers: ((key: string | undefined) => void)[] = [];
  /** When a group is barred no more though nothing else has happened by then, and what looks again at that moment. */
  #later: { readonly atMs: number; readonly timer: NodeJS.Timeout } | undefined;
  #isPaused = true;
  #isShutDown = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#delayed = new DelayQueue((key) => this.add(key));
  }

  /** Keys that could be taken now. */
  get depth(): number {
    return this.#ready.size;
  }

  /** Keys that are worked on. */
  get working(): number {
    return this.#working.size;
  }

  /** Has `key` worked on, once, and not before it has rested. One that waits already, and is urgent now, goes ahead. */
  add(key: string): void {
    if (this.#isShutDown) return;
    if (this.#dirtySince.has(key)) {
      if (this.#ready.mayRise(key)) this.#ready.hasten(key, this.#isUrgent(key));
      return;
    }
    const restMs = this.#options.restMs?.(key) ?? 0;
    if (restMs > 0) return this.addAfter(key, restMs);
    this.#dirtySince.set(key, performance.now());
    this.#options.metrics.queueAddsTotal.inc({ name: this.#options.name });
    if (!this.#working.has(key)) this.#enqueue(key);
  }

  /** Has `key` worked on within `withinMs`, together with what else asks for it until then. Infinite: this alone is no reason to. */
  addWithin(key: string, withinMs: number): void {
    if (withinMs <= 0) this.add(key);
    else if (withinMs < Infinity && !this.#dirtySince.has(key)) this.addAfter(key, withinMs);
  }

  /** Has `key` worked on in `delayMs`, or earlier when something else asks for it. */
  addAfter(key: string, delayMs: number): void {
    if (!this.#isShutDown) this.#delayed.add(key, delayMs);
  }

  /** Has `key` worked on after a backoff that grows with each failure, not before `atLeastMs` and not after `atMostMs`. */
  retry(key: string, atLeastMs = 0, atMostMs = Infinity): void {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#options.metrics.queueRetriesTotal.inc({ name: this.#options.name });
    const delayMs = backoffMs(this.#options.backoff, failures, Math.random());
    // No more are counted than make it so long: one without a bound that comes after many with one does not pay for them.
    if (delayMs < atMostMs) this.#failures.set(key, failures);
    this.addAfter(key, Math.min(Math.max(delayMs, atLeastMs), atMostMs));
  }

  /** `key` is well: its next failure is the first. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /**
   * The next key, when there is one; undefined once the queue is shut down. Call `begin` with it if the work cannot begin at once, and `done` afterwards.
   */
  take(): Promise<string | undefined> {
    if (this.#isShutDown) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#serve();
    });
  }

  /**
   * The work on `key` begins only now, since whoever took it had to wait: it will see all that the key was added for since, and is not done once more
   * for that.
   */
  begin(key: string): void {
    const work = this.#working.get(key);
    if (work === undefined) return;
    this.#dirtySince.delete(key);
    this.#delayed.cancel(key);
    this.#working.set(key, { ...work, since: performance.now() });
  }

  /** The fairness group of a key that is worked on. */
  groupAt(key: string): string | undefined {
    return this.#working.get(key)?.group;
  }

  /** The work on `key` is over; it is worked on again when it was added meanwhile. */
  done(key: string): void {
    const work = this.#working.get(key);
    if (work === undefined) return;
    this.#working.delete(key);
    this.#workingOf.leave(work.group);
    const { metrics, name } = this.#options;
    metrics.workSeconds.observe({ name }, (performance.now() - work.since) / 1000);
    if (this.#dirtySince.has(key)) this.#enqueue(key);
    // Others of its group may have waited for this alone, while workers have nothing to do.
    else this.#serve();
  }

  /** Gives out nothing until `resume`; goes on collecting keys. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#serve();
  }

  /** Gives out nothing ever again, and forgets what waits. */
  shutDown(): void {
    this.#isShutDown = true;
    this.#delayed.clear();
    this.#forgetLater();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #enqueue(key: string): void {
    if (this.#isShutDown) return;
    this.#ready.push(key, this.#options.groupOf(key), this.#isUrgent(key));
    this.#serve();
    this.#gauge();
  }

  #isUrgent(key: string): Urgency {
    return this.#options.isUrgent?.(key) ?? false;
  }

  #serve(): void {
    while (!this.#isPaused && this.#takers.length > 0 && this.#ready.size > 0) {
      const next = this.#ready.take((group) => this.#hasItsShare(group));
      if (next === undefined) return;
      this.#begin(next.key, next.group);
      this.#takers.shift()?.(next.key);
    }
  }

  #hasItsShare(group: string): boolean {
    const { mostOfGroup = Infinity, mostBesideOthers = mostOfGroup } = this.#options;
    const working = this.#workingOf.of(group);
    if (working < Math.min(mostOfGroup, mostBesideOthers)) return false;
    return working >= mostOfGroup || (this.#isBesideOthers(group) && this.#hasBegun(group, mostBesideOthers));
  }

  /** Whether that many of `group` were begun so lately that they are to be waited for. */
  #hasBegun(group: string, count: number): boolean {
    const since = this.#now() - LONG_MS;
    const lately = [...this.#working.values()].filter((one) => one.group === group && one.atMs > since);
    if (lately.length < count) return false;
    this.#serveAt(Math.min(...lately.map(({ atMs }) => atMs)) + LONG_MS);
    return true;
  }

  #isBesideOthers(group: string): boolean {
    if (this.#workingOf.groups > (this.#workingOf.of(group) > 0 ? 1 : 0)) return true;
    const other = this.#latest.find((one) => one.group !== group);
    if (other === undefined || this.#now() - other.atMs >= OTHERS_MS) return false;
    // Only the time bars it: workers may have nothing to do, and none of its passes an end by then.
    this.#serveAt(other.atMs + OTHERS_MS);
    return true;
  }

  /** Looks again at `atMs`, or before that: a look finds out itself when the next one has to be. */
  #serveAt(atMs: number): void {
    if (this.#later !== undefined && this.#later.atMs <= atMs) return;
    this.#forgetLater();
    // Rounded up: a timer that fires a fraction early would look in vain.
    const timer = setTimeout(
      () => {
        this.#later = undefined;
        this.#serve();
      },
      Math.ceil(atMs - this.#now()),
    );
    this.#later = { atMs, timer: timer.unref() };
  }

  #forgetLater(): void {
    clearTimeout(this.#later?.timer);
    this.#later = undefined;
  }

  #now(): number {
    return this.#options.now?.() ?? performance.now();
  }

  #begin(key: string, group: string): void {
    const now = performance.now();
    const { metrics, name } = this.#options;
    metrics.queueSeconds.observe({ name }, (now - (this.#dirtySince.get(key) ?? now)) / 1000);
    this.#working.set(key, { group, since: now, atMs: this.#now() });
    this.#workingOf.enter(group);
    const others = this.#latest.filter((one) => one.group !== group);
    this.#latest = [{ group, atMs: this.#now() }, ...others.slice(0, 1)];
    // This pass decides anew when to come back.
    this.begin(key);
    this.#gauge();
  }

  #gauge(): void {
    this.#options.metrics.queueDepth.set({ name: this.#options.name }, this.#ready.size);
  }
}
