// SPDX-License-Identifier: Apache-2.0
import { Places } from '../oci/places.ts';
import {
  JUDGE_LIMITS,
  JUDGE_URL,
  type Judged,
  JudgeThread,
  type JudgeLimits,
  type JudgeOrder,
} from './judge.ts';

/** Threads that judge images: each has its memory beside all others (memory.test.ts). */
export const JUDGE_THREADS = 1;

/** What a pool works with. */
export interface JudgePoolOptions {
  readonly threads?: number;
  readonly limits?: JudgeLimits;
  readonly url?: URL;
}

/** Whoever waits for a thread waits until there is one. */
const PATIENT = new AbortController().signal;

/** A few threads, each of which judges one image at a time. Who finds none free waits, and comes after those whose images took less time lately. */
export class JudgePool {
  readonly #all: readonly JudgeThread[];
  readonly #free: JudgeThread[];
  readonly #places: Places;

  constructor({ threads = JUDGE_THREADS, limits = JUDGE_LIMITS, url = JUDGE_URL }: JudgePoolOptions = {}) {
    this.#all = Array.from({ length: threads }, () => new JudgeThread(limits, url));
    this.#free = [...this.#all];
    this.#places = new Places({ perHost: threads, perOwner: threads, inAll: threads, waiting: Infinity });
  }

  /**
   * Judges an image in the next thread that is free. `owner`: whose image it is.
   *
   * @throws Error when the thread was ended: the image takes too much time, or memory.
   */
  async judge(order: JudgeOrder, owner = ''): Promise<Judged> {
    const given = await this.#places.enter({ host: 'judge', owner, signal: PATIENT });
    const thread = this.#free.pop();
    if (given.kind !== 'given' || thread === undefined) throw new Error('a place is a thread');
    try {
      return await thread.judge(order);
    } finally {
      this.#free.push(thread);
      given.leave();
    }
  }

  /** Ends all threads, and what they do. */
  async close(): Promise<void> {
    await Promise.all(this.#all.map((thread) => thread.close()));
  }
}
