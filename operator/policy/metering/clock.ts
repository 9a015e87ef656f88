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

/** So much of its deadline an evaluation has of a processor however long that takes; the rest, as long as it is not late by the wall. */
export const SURE_SHARE = 0.5;
/** After so many times its deadline, by the clock on the wall, it is late. */
const LATE = 1.2;

/**
 * The clock of a thread that evaluates one after the other. What counts is what the thread has had of a processor; the wall only takes the
 * end of a deadline from who shares its processor with others (ADR 0066, 0074).
 */
export class ThreadTime implements EvaluationClock {
  readonly #clocks: Clocks;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #wallEndMs = Number.POSITIVE_INFINITY;
  #processorEndMs = Number.POSITIVE_INFINITY;
  #lateMs = Number.POSITIVE_INFINITY;
  #sureEndMs = Number.POSITIVE_INFINITY;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
  }

  /** From now on there is so much time. What the thread has had of a processor until now, in milliseconds. */
  begin(deadlineMs: number): number {
    this.#deadlineMs = deadlineMs;
    const { wallMs, processorMs } = this.#clocks;
    const [wall, processor] = [wallMs(), processorMs()];
    this.#wallEndMs = wall + deadlineMs;
    this.#processorEndMs = processor + deadlineMs;
    this.#lateMs = wall + deadlineMs * LATE;
    this.#sureEndMs = processor + deadlineMs * SURE_SHARE;
    return processor;
  }

  readonly expectTime = (): void => {
    const wallMs = this.#clocks.wallMs();
    // The wall is asked more quickly, and no thread has more time than it.
    if (wallMs < this.#wallEndMs) return;
    const isLate = wallMs >= this.#lateMs;
    const processorMs = this.#clocks.processorMs();
    if (processorMs < (isLate ? this.#sureEndMs : this.#processorEndMs)) return;
    throw new EvaluationFailure(Failure.Timeout, this.#stopped(isLate && processorMs < this.#processorEndMs));
  };

  /** The same text for the same rule each time: what is told of it is written when it changes. */
  #stopped(isLate: boolean): string {
    if (!isLate) return `it was stopped after ${this.#deadlineMs} ms`;
    const [sureMs, lateMs] = [SURE_SHARE, LATE].map((share) => Math.floor(this.#deadlineMs * share));
    return `it was stopped after ${sureMs} ms of a processor, which took ${lateMs} ms or more; it may have ${this.#deadlineMs}`;
  }
}
