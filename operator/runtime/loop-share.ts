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
  #beganAt: number | undefined;
  #turn: Promise<void> = Promise.resolve();

  /** `now` is a clock in milliseconds that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
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
    } else if (this.#now() - this.#beganAt >= SLICE_MS) {
      await this.#turn;
    }
  }
}

/** There is one event loop, and all workers share it. */
export const loopShare: LoopShare = new LoopShare();
