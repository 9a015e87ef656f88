// SPDX-License-Identifier: Apache-2.0

/** Work goes on for so long before whatever else waits for the event loop has its turn, in milliseconds. */
const SLICE_MS = 10;

/**
 * Shares the event loop between work and whatever else waits for it: answers, watches, timers, the renewal of the lease. A pass
 * that asks and writes nothing never leaves the queue of microtasks, so thousands of them in a row, such as those of all
 * who wait in a long queue, would let nobody else have a turn until the last one is done.
 */
export class LoopShare {
  readonly #now: () => number;
  readonly #sliceMs: number;
  #beganAt: number | undefined;
  #turn: Promise<void> = Promise.resolve();

  /** `now` is a clock in milliseconds that never goes back; `sliceMs`: for how long work goes on. */
  constructor(now: () => number = () => performance.now(), sliceMs = SLICE_MS) {
    this.#now = now;
    this.#sliceMs = sliceMs;
  }

  /** Resolves at once, or in the next turn of the loop when work has had its share of this one. */
  async rest(): Promise<void> {
    if (this.#beganAt === undefined) {
      this.#beganAt = this.#now();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#turn = promise;
      setImmediate(() => {
        this.#beganAt = undefined;
        resolve();
      });
    } else if (this.#now() - this.#beganAt >= this.#sliceMs) {
      await this.#turn;
    }
  }
}

/** Of a turn that is to take 10 ms at most, with the pass that is under way when the share is over and all answers that have come meanwhile. */
const WORKERS_SLICE_MS = 4;

/** There is one event loop, and all workers share it. */
export const loopShare: LoopShare = new LoopShare(undefined, WORKERS_SLICE_MS);
