// SPDX-License-Identifier: Apache-2.0

/** What the API server is asked, for all who want to know at that time. */
export interface LookOptions {
  /** The version that all of a kind was at, at some instant after this was called. Rejects when the API server does not say. */
  readonly look: () => Promise<bigint>;
  /** Told each answer, with when its question was put. */
  readonly tell: (version: bigint, sentAtMs: number) => void;
  /** A clock in milliseconds that never goes back. */
  readonly now: () => number;
  /** Does something when so many milliseconds are over. */
  readonly after: (ms: number, does: () => void) => unknown;
  /** Nobody waits for an answer longer than this: while one is overdue, nobody joins. */
  readonly patienceMs: number;
}

/** So long it is waited who else wants to know. Those who are woken together, by one write of a ledger, ask within less. */
const GATHER_MS = 5;

/** Who waits for one answer. */
interface Group {
  readonly size: () => number;
  readonly join: () => Promise<boolean>;
  readonly answer: (isAnswered: boolean) => void;
}

/**
 * Puts one question for many: of those who want to know while one is under way the next one serves all. One who is alone is better served by asking for
 * what he wants to know himself, which is answered sooner.
 */
export class SharedLook {
  readonly #options: LookOptions;
  /** Those whose question has not been put yet. */
  #gathering: Group | undefined;
  #isUnderWay = false;
  #sentAtMs = 0;

  constructor(options: LookOptions) {
    this.#options = options;
  }

  /** Resolves with true when the answer to a question that was put after this call has been told; with false where nobody else wants to know, there was none, or one is overdue. */
  join(): Promise<boolean> {
    if (this.#isOverdue()) return Promise.resolve(false);
    if (this.#gathering !== undefined) return this.#gathering.join();
    const group = newGroup();
    this.#gathering = group;
    if (!this.#isUnderWay) this.#options.after(GATHER_MS, () => void this.#ask(group));
    return group.join();
  }

  #isOverdue(): boolean {
    const { now, patienceMs } = this.#options;
    return this.#isUnderWay && now() - this.#sentAtMs >= patienceMs;
  }

  async #ask(group: Group): Promise<void> {
    this.#gathering = undefined;
    if (group.size() < 2) {
      group.answer(false);
      return;
    }
    this.#isUnderWay = true;
    const isAnswered = await this.#put();
    this.#isUnderWay = false;
    // The next question goes out before the work that this answer sets off.
    if (this.#gathering !== undefined) void this.#ask(this.#gathering);
    group.answer(isAnswered);
  }

  async #put(): Promise<boolean> {
    const { look, tell, now } = this.#options;
    const sentAtMs = now();
    this.#sentAtMs = sentAtMs;
    try {
      tell(await look(), sentAtMs);
      return true;
    } catch {
      // Each asks for himself then, and says what is wrong.
      return false;
    }
  }
}

function newGroup(): Group {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let size = 0;
  return {
    size: () => size,
    join: () => {
      size += 1;
      return promise;
    },
    answer: resolve,
  };
}
