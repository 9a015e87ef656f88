// SPDX-License-Identifier: Apache-2.0
import type { Pieces } from '../core/pieces.ts';
import { FairQueue } from './fair-queue.ts';

/** Work goes on for so long before whatever else waits for the event loop has its turn, in milliseconds. */
const SLICE_MS = 10;
/** Work in pieces that is older than this has every second turn first, until it is done. */
const LATE_MS = 500;

/** What a turn of the loop takes in all, of which work is a part. */
export interface WholeTurn {
  /** What the loop has been at work for until now, in milliseconds: it never goes back, and stands while the loop waits. */
  readonly activeMs: () => number;
  /** Of a turn that has taken so long already, with the answers that came in it, work that waits has only what is left, and one at least. */
  readonly mostMs: number;
}

/** Work in pieces that waits for a turn of those who are late. */
interface Late {
  readonly begunAt: number;
  readonly goOn: () => void;
}

/**
 * Shares the event loop between work and whatever else waits for it: answers, watches, timers, the renewal of the lease. A pass
 * that asks and writes nothing never leaves the queue of microtasks, so thousands of them in a row, such as those of all
 * who wait in a long queue, would let nobody else have a turn until the last one is done. All go on one after the other: each
 * when the one before has done all that it can do by now, and only while there is a share left. Who waits for that does so in groups, usually tenants, that
 * take turns. Work in pieces goes on until the share is used up, and waits for the others then; once it is late it goes first in every
 * second turn, so it ends in a time that its own length says, however many others there are.
 */
export class LoopShare {
  readonly #now: () => number;
  readonly #sliceMs: number;
  #beganAt: number | undefined;
  readonly #waiting = new FairQueue();
  readonly #goOn = new Map<string, () => void>();
  #tickets = 0;
  readonly #late: Late[] = [];
  /** Whether those who are late go first in this turn; in every other the groups do. */
  #isTurnOfLate = false;
  /** Whether somebody has just gone on, and may have something to do yet before others do. */
  #isTaken = false;
  readonly #whole: WholeTurn | undefined;
  /** What the loop had been at work for when the work of the turn before was over. */
  #activeBeforeMs = 0;
  /** Whether those who wait are let go on at the end of a turn, after all answers of it. */
  #isAtEnd = false;

  /** `now` is a clock in milliseconds that never goes back; `sliceMs`: for how long work goes on. Without `whole`, whatever else a turn has taken. */
  constructor(now: () => number = () => performance.now(), sliceMs = SLICE_MS, whole?: WholeTurn) {
    this.#now = now;
    this.#sliceMs = sliceMs;
    this.#whole = whole;
  }

  /** Resolves when others have done what they can do by now, or in a later turn of the loop when work has had its share of this one. */
  async rest(group = ''): Promise<void> {
    if (!this.#isTaken && !this.#isAwaited() && this.#hasShare()) return this.#take();
    const { promise, resolve } = Promise.withResolvers<void>();
    const ticket = String((this.#tickets += 1));
    this.#goOn.set(ticket, resolve);
    this.#waiting.push(ticket, group);
    await promise;
  }

  /** Does work of a group in pieces, with a rest when the share is used up; resolves with what comes of it, and rejects with what it throws. */
  async through<T>(pieces: Pieces<T>, group?: string): Promise<T> {
    const begunAt = this.#now();
    for (let step = pieces.next(); ; step = pieces.next()) {
      if (step.done === true) return step.value;
      if (this.#hasShare()) continue;
      if (this.#now() - begunAt < LATE_MS) await this.rest(group);
      else await this.#turnOfLate(begunAt);
    }
  }

  #turnOfLate(begunAt: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#late.push({ begunAt, goOn: resolve });
    // The oldest first: taking turns with each other, all of them would be done as late as the last.
    this.#late.sort((a, b) => a.begunAt - b.begunAt);
    return promise;
  }

  #isAwaited(): boolean {
    return this.#waiting.size > 0 || this.#late.length > 0;
  }

  /** Whether there is something left of the share of this turn, which the first who asks begins. */
  #hasShare(): boolean {
    if (this.#beganAt !== undefined) return this.#now() - this.#beganAt < this.#sliceMs;
    this.#beganAt = this.#now() - (this.#isAtEnd ? this.#overdrawnMs() : 0);
    setImmediate(() => {
      this.#beganAt = undefined;
      this.#isTurnOfLate = !this.#isTurnOfLate;
      this.#isAtEnd = true;
      this.#release();
      this.#endTurn();
    });
    return true;
  }

  /** How much of the share of this turn its answers have taken. */
  #overdrawnMs(): number {
    if (this.#whole === undefined) return 0;
    const { activeMs, mostMs } = this.#whole;
    return Math.max(0, activeMs() - this.#activeBeforeMs + this.#sliceMs - mostMs);
  }

  /** The turn is over when nobody goes on in it any more. */
  #endTurn(): void {
    if (!this.#isAtEnd || this.#isTaken) return;
    this.#isAtEnd = false;
    this.#activeBeforeMs = this.#whole?.activeMs() ?? 0;
  }

  #release(): void {
    if (this.#isTaken || !this.#isAwaited() || !this.#hasShare()) return;
    const isOfLate = this.#late.length > 0 && (this.#isTurnOfLate || this.#waiting.size === 0);
    if (isOfLate) this.#late.shift()?.goOn();
    else this.#releaseFirst();
    this.#take();
  }

  #releaseFirst(): void {
    const ticket = this.#waiting.shift() ?? '';
    this.#goOn.get(ticket)?.();
    this.#goOn.delete(ticket);
  }

  /** Who goes on works in microtasks. What one of them has done next is done when none is left; next from here, it would be done before them. */
  #take(): void {
    this.#isTaken = true;
    queueMicrotask(() =>
      process.nextTick(() => {
        this.#isTaken = false;
        this.#release();
        this.#endTurn();
      }),
    );
  }
}

/** Of a turn that is to take 10 ms at most, with the pass that is under way when the share is over and all answers that have come meanwhile. */
const WORKERS_SLICE_MS = 4;

/** So much of a turn is for answers and work together: one long pass more is then over before 10 ms. */
const WHOLE_TURN: WholeTurn = {
  activeMs: () => performance.now() - performance.nodeTiming.idleTime,
  mostMs: 6,
};

/** There is one event loop, and all workers share it. */
export const loopShare: LoopShare = new LoopShare(undefined, WORKERS_SLICE_MS, WHOLE_TURN);
