// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import type { OperatorLog } from '../system/operator-log.ts';
import type { OperatorProcess } from '../system/operator-process.ts';

/** When an operator that has ended is started again. */
export interface RestartPolicy {
  /** Waits before the restarts of ends that follow each other, in milliseconds. At the end after the last, it is given up. */
  readonly delaysMs: readonly number[];
  /** One that ran so long, in milliseconds, has recovered: its end is the first again. */
  readonly recoveredMs: number;
}

/** Patient enough for somebody who kills it to see what happens. */
export const LIKE_A_DEPLOYMENT: RestartPolicy = { delaysMs: [1000, 2000, 4000, 8000], recoveredMs: 60_000 };
/** For checks: an operator that ends has failed. */
export const NEVER: RestartPolicy = { delaysMs: [], recoveredMs: 0 };

/** Starts an operator; gives up when the signal is aborted. */
export type StartOperator = (signal: AbortSignal) => Promise<OperatorProcess>;

interface End {
  readonly how: string;
  readonly log: string;
  readonly ranMs: number;
}

/** The operator, started again when it ends, as a Deployment would. */
export class KeptOperator {
  readonly #start: StartOperator;
  readonly #policy: RestartPolicy;
  readonly #stop = new AbortController();
  readonly #kept: Promise<void>;
  #process: OperatorProcess;
  #restarts = 0;
  #story: string | undefined;
  #failure: string | undefined;

  private constructor(start: StartOperator, policy: RestartPolicy, first: OperatorProcess) {
    this.#start = start;
    this.#policy = policy;
    this.#process = first;
    this.#kept = this.#keep();
  }

  /** Starts it for the first time. Throws what `start` throws then. */
  static async start(start: StartOperator, policy: RestartPolicy): Promise<KeptOperator> {
    return new KeptOperator(start, policy, await start(new AbortController().signal));
  }

  /** Of the operator that runs, or ran last. */
  get log(): OperatorLog {
    return this.#process.log;
  }

  /** What happened to it last; undefined as long as it has never ended. */
  get story(): string | undefined {
    return this.#story;
  }

  /** Why it is not started again, with the end of its log; undefined until then. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Ends it in order, for good: SIGTERM, and SIGKILL after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stop.abort();
    await this.#process.stop(graceMs);
    await this.#kept;
  }

  async #keep(): Promise<void> {
    const { delaysMs, recoveredMs } = this.#policy;
    let inARow = 0;
    for (let life = this.#endOf(this.#process); ; life = this.#liveAgain()) {
      const end = await life;
      if (this.#stop.signal.aborted) return;
      inARow = end.ranMs < recoveredMs ? inARow + 1 : 1;
      const delayMs = delaysMs[inARow - 1];
      if (delayMs === undefined) {
        const times = inARow > 1 ? `, ${inARow} times in a row` : '';
        this.#failure = `the operator ${end.how}${times}. The end of its log:\n${end.log}`;
        return;
      }
      this.#story = `${end.how}; starts again in ${delayMs / 1000} s`;
      await delay(delayMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (this.#stop.signal.aborted) return;
    }
  }

  async #liveAgain(): Promise<End> {
    const before = this.#story?.replace(/;.*/, '');
    try {
      this.#process = await this.#start(this.#stop.signal);
    } catch (error) {
      return { how: 'did not start', log: error instanceof Error ? error.message : String(error), ranMs: 0 };
    }
    // It was too far to give up.
    if (this.#stop.signal.aborted) await this.#process.kill();
    this.#restarts += 1;
    this.#story = `runs again: it ${before} (restart ${this.#restarts})`;
    return this.#endOf(this.#process);
  }

  async #endOf(operator: OperatorProcess): Promise<End> {
    const startedAt = performance.now();
    const how = `ended with ${await operator.ended()}`;
    // Nobody needs its token any more.
    await operator.kill();
    return { how, log: operator.log.tail(), ranMs: performance.now() - startedAt };
  }
}
