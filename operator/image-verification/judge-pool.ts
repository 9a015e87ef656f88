// SPDX-License-Identifier: Apache-2.0
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

/** A few threads, each of which judges one image at a time; who finds none free waits for the next. */
export class JudgePool {
  readonly #all: readonly JudgeThread[];
  readonly #free: JudgeThread[];
  readonly #waiting: ((thread: JudgeThread) => void)[] = [];

  constructor({ threads = JUDGE_THREADS, limits = JUDGE_LIMITS, url = JUDGE_URL }: JudgePoolOptions = {}) {
    this.#all = Array.from({ length: threads }, () => new JudgeThread(limits, url));
    this.#free = [...this.#all];
  }

  /**
   * Judges an image in the next thread that is free.
   *
   * @throws Error when the thread was ended: the image takes too much time, or memory.
   */
  async judge(order: JudgeOrder): Promise<Judged> {
    const thread = this.#free.pop() ?? (await new Promise<JudgeThread>((take) => this.#waiting.push(take)));
    try {
      return await thread.judge(order);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(thread);
      else next(thread);
    }
  }

  /** Ends all threads, and what they do. */
  async close(): Promise<void> {
    await Promise.all(this.#all.map((thread) => thread.close()));
  }
}
