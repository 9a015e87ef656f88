// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import type { OperatorProcess } from '../system/operator-process.ts';
import { sumOfMetric } from './metric-text.ts';

/** How often the process looks at its loop, which is part of what it tells. */
const LOOK_MS = 10;
const EVERY_MS = 2000;

/** Listens to how long the thread of a process is held up; it forgets with each question. */
export class LoopStalls {
  readonly #process: OperatorProcess;
  readonly #end = new AbortController();
  readonly #listening: Promise<void>;
  #longestMs = 0;

  constructor(process: OperatorProcess) {
    this.#process = process;
    this.#listening = this.#listen();
  }

  /** Ends it; the longest in milliseconds. */
  async stop(): Promise<number> {
    this.#end.abort();
    await this.#listening;
    await this.#look();
    return this.#longestMs;
  }

  async #listen(): Promise<void> {
    // What was before counts for nothing.
    await this.#process.metrics();
    while (!this.#end.signal.aborted) {
      await delay(EVERY_MS, undefined, { signal: this.#end.signal }).catch(() => undefined);
      await this.#look();
    }
  }

  async #look(): Promise<void> {
    const text = await this.#process.metrics();
    const seconds = sumOfMetric(text, 'nodejs_eventloop_lag_max_seconds', () => true);
    this.#longestMs = Math.max(this.#longestMs, seconds * 1000 - LOOK_MS);
  }
}
