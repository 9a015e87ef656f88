// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';

/** After what was done for one, it rests twenty times as long as that took. */
const SHARE = 20;
/** Changes within so short a time come to one. */
const TOGETHER_MS = 50;
/** No longer, however long it took: who looks at live objects may have them be 90 s old at most. What takes more than 1.5 s has a larger share. */
const AT_MOST_MS = 30_000;

/** What time is told by, and how it passes. */
export interface RestClock {
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<unknown>;
}

const REAL: RestClock = {
  now: () => performance.now(),
  sleep: (ms) => sleep(ms, undefined, { ref: false }),
};

/**
 * Work for several who must not keep each other waiting: that of each goes on one after the other, with rests as long as it has earned. So
 * about a twentieth of the time is worked for each, as long as no work takes more than 1.5 s; beyond that, the rest is 30 s.
 */
export class Rests {
  readonly #clock: RestClock;
  readonly #ends = new Map<string, Promise<unknown>>();

  constructor(clock: RestClock = REAL) {
    this.#clock = clock;
  }

  /** Does `work` when what was done for `whose` before has been rested from. */
  take<T>(whose: string, work: () => Promise<T>): Promise<T> {
    const before = this.#ends.get(whose) ?? this.#clock.sleep(TOGETHER_MS);
    let tookMs = 0;
    const done = before.then(async () => {
      const startedAt = this.#clock.now();
      try {
        return await work();
      } finally {
        tookMs = this.#clock.now() - startedAt;
      }
    });
    const rest = async (): Promise<void> => {
      await done.catch(() => undefined);
      await this.#clock.sleep(Math.min(Math.max(TOGETHER_MS, tookMs * SHARE), AT_MOST_MS));
      if (this.#ends.get(whose) === end) this.#ends.delete(whose);
    };
    const end: Promise<void> = rest();
    this.#ends.set(whose, end);
    return done;
  }
}
