// SPDX-License-Identifier: Apache-2.0
import { EvaluationFailure, Failure } from '../verdict.ts';

/** Tells an evaluation that its time is over. */
export interface EvaluationClock {
  /** Throws `EvaluationFailure` when there is no time left. Quick enough to be asked some thousand times in each evaluation. */
  readonly expectTime: () => void;
}

/** The clock of those who may take as long as they want. */
export const ENDLESS: EvaluationClock = { expectTime: () => undefined };

/** Milliseconds on the wall, and of a processor: neither goes back. */
export interface Clocks {
  readonly wallMs: () => number;
  readonly processorMs: () => number;
}

/** The clock of a thread that evaluates one after the other. What counts is what the thread has had of a processor. */
export class ThreadTime implements EvaluationClock {
  readonly #clocks: Clocks;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #wallEndMs = Number.POSITIVE_INFINITY;
  #processorEndMs = Number.POSITIVE_INFINITY;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
  }

  /** From now on there is so much time. */
  begin(deadlineMs: number): void {
    this.#deadlineMs = deadlineMs;
    this.#wallEndMs = this.#clocks.wallMs() + deadlineMs;
    this.#processorEndMs = this.#clocks.processorMs() + deadlineMs;
  }

  readonly expectTime = (): void => {
    // The wall is asked more quickly, and no thread has more time than it.
    if (this.#clocks.wallMs() < this.#wallEndMs || this.#clocks.processorMs() < this.#processorEndMs) return;
    throw new EvaluationFailure(Failure.Timeout, `it was stopped after ${this.#deadlineMs} ms`);
  };
}
