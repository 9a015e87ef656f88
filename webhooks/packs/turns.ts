// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';

/** What is done for one takes a twentieth of its time at most. */
const SHARE = 20;
/** Changes within so short a time come to one. */
const TOGETHER_MS = 50;
const AT_MOST_MS = 30_000;

/** Work for several who must not keep each other waiting: that of each goes on one after the other, with rests as long as it has earned. */
export class Turns {
  readonly #ends = new Map<string, Promise<unknown>>();

  /** Does `work` when it is the turn of `whose`. */
  take<T>(whose: string, work: () => Promise<T>): Promise<T> {
    const before = this.#ends.get(whose) ?? sleep(TOGETHER_MS, undefined, { ref: false });
    let tookMs = 0;
    const done = before.then(async () => {
      const startedAt = performance.now();
      try {
        return await work();
      } finally {
        tookMs = performance.now() - startedAt;
      }
    });
    const rest = async (): Promise<void> => {
      await done.catch(() => undefined);
      await sleep(Math.min(Math.max(TOGETHER_MS, tookMs * SHARE), AT_MOST_MS), undefined, { ref: false });
      if (this.#ends.get(whose) === end) this.#ends.delete(whose);
    };
    const end: Promise<void> = rest();
    this.#ends.set(whose, end);
    return done;
  }
}
