// SPDX-License-Identifier: Apache-2.0

/** Work goes on for so long before whatever else waits for the event loop has its turn, in milliseconds. */
const SLICE_MS = 10;

/**
 * Shares the event loop between work and whatever else waits for it: answers, watches, timers, the renewal of the lease. A pass
 * that asks and writes nothing never leaves the queue of microtasks, so thousands of them in a row, such as those of all
 * who wait in a long queue, would let nobody else have a turn until the last one is done. Who waited for the next turn goes on one after the other: each
 * when the one before has done all that it can do by now, and only while there is a share left.
 */
export class LoopShare {
  readonly #now: () => number;
  readonly #sliceMs: number;
  #beganAt: number | undefined;
  readonly #waiting: (() => void)[] = [];

  /** `now` is a clock in milliseconds that never goes back; `sliceMs`: for how long work goes on. */
  constructor(now: () => number = () => performance.now(), sliceMs = SLICE_MS) {
    this.#now = now;
    this.#sliceMs = sliceMs;
  }

  /** Resolves at once, or in a later turn of the loop when work has had its share of this one, or others wait already. */
  async rest(): Promise<void> {
    if (this.#waiting.length === 0 && this.#hasShare()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    await promise;
  }

  /** Whether there is something left of the share of this turn, which the first who asks begins. */
  #hasShare(): boolean {
    if (this.#beganAt !== undefined) return this.#now() - this.#beganAt < this.#sliceMs;
    this.#beganAt = this.#now();
    setImmediate(() => {
      this.#beganAt = undefined;
      this.#release();
    });
    return true;
  }

  #release(): void {
    if (this.#waiting.length === 0 || !this.#hasShare()) return;
    this.#waiting.shift()?.();
    // Who was released works in microtasks. What one of them has done next is done when none is left; next from here, it would be done before them.
    queueMicrotask(() => process.nextTick(() => this.#release()));
  }
}

/** Of a turn that is to take 10 ms at most, with the pass that is under way when the share is over and all answers that have come meanwhile. */
const WORKERS_SLICE_MS = 4;

/** There is one event loop, and all workers share it. */
export const loopShare: LoopShare = new LoopShare(undefined, WORKERS_SLICE_MS);
