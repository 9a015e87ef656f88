// SPDX-License-Identifier: Apache-2.0
import { Places } from '../oci/places.ts';
import {
  JUDGE_LIMITS,
  JUDGE_URL,
  type Judged,
  type JudgeLimits,
  type JudgeOrder,
  JudgeProcess,
  JudgingEnded,
} from './judge.ts';
import { Tries, type TriesOptions } from './tries.ts';

/** Processes that judge images: each has its memory beside all others (memory.test.ts). */
export const JUDGE_PROCESSES = 1;

/** What a pool works with. */
export interface JudgePoolOptions {
  readonly processes?: number;
  readonly limits?: JudgeLimits;
  readonly url?: URL;
  readonly tries?: TriesOptions;
}

/** Whoever waits for a process waits until there is one. */
const PATIENT = new AbortController().signal;
/** Where it may have been somebody else's doing that a process is gone, an image is begun again so often at once. */
const AT_ONCE = 2;

/**
 * A few processes, each of which judges one image at a time. Who finds none free waits, and comes after those whose images took less time lately. What
 * ended several of them is not judged again for a while.
 */
export class JudgePool {
  readonly #all: readonly JudgeProcess[];
  readonly #free: JudgeProcess[];
  readonly #places: Places;
  readonly #tries: Tries;

  constructor({
    processes = JUDGE_PROCESSES,
    limits = JUDGE_LIMITS,
    url = JUDGE_URL,
    tries,
  }: JudgePoolOptions = {}) {
    this.#all = Array.from({ length: processes }, () => new JudgeProcess(limits, url));
    this.#free = [...this.#all];
    const places = { perHost: processes, perOwner: processes, inAll: processes };
    this.#places = new Places({ ...places, waiting: Infinity });
    this.#tries = new Tries(tries);
  }

  /** Numbers of the processes that there are at the moment. */
  get pids(): readonly number[] {
    return this.#all.flatMap(({ pid }) => pid ?? []);
  }

  /**
   * Judges an image in the next process that is free. `owner`: whose image it is.
   *
   * @throws JudgingEnded when the process was ended: the image takes too much time, or memory. When it did so several times, nobody tries any more until
   * something else is attached, a policy is another one, or an hour is over; with ten times within an hour, whatever is attached.
   */
  async judge(order: JudgeOrder, owner = ''): Promise<Judged> {
    this.#tries.check(order, owner);
    const given = await this.#places.enter({ host: 'judge', owner, signal: PATIENT });
    const judge = this.#free.pop();
    if (given.kind !== 'given' || judge === undefined) throw new Error('a place is a process');
    try {
      return await this.#tryWith(judge, order, owner);
    } finally {
      this.#free.push(judge);
      given.leave();
    }
  }

  /** Ends all processes, and what they do. */
  async close(): Promise<void> {
    await Promise.all(this.#all.map((judge) => judge.close()));
  }

  async #tryWith(judge: JudgeProcess, order: JudgeOrder, owner: string): Promise<Judged> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const judged = await judge.judge(order);
        this.#tries.passed(order);
        return judged;
      } catch (error) {
        if (!(error instanceof JudgingEnded)) throw error;
        if (!error.mayBeOthers || attempt === AT_ONCE) throw this.#tries.ended(order, error, owner);
      }
    }
  }
}
