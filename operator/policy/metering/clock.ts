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

/** So much of its deadline an evaluation has of a processor, however long that takes. */
export const SURE_SHARE = 0.4;
/** The same of what is loaded: that is done once for all who ask then, and does not come from a request. */
export const SURE_SHARE_OF_LOADS = 0.7;

/**
 * What is told of an evaluation that was stopped, whoever stopped it: the same text for the same rules each time, since what is told of them is
 * written when it changes. Where nobody knows what it had of a processor, `sureMs` is undefined.
 */
export function stoppedText(deadlineMs: number, sureMs: number | undefined): string {
  const text = `it was stopped after ${deadlineMs} ms or more`;
  return sureMs === undefined
    ? text
    : `${text}, of which it had a processor for ${Math.floor(sureMs)} at least`;
}

/**
 * The clock of a thread that evaluates one after the other. When a deadline has passed by the clock on the wall it is over, unless others
 * had the processor so long that the thread has not had what is sure (ADR 0066, 0074, 0082).
 */
export class ThreadTime implements EvaluationClock {
  readonly #clocks: Clocks;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #sureMs = Number.POSITIVE_INFINITY;
  #wallEndMs = Number.POSITIVE_INFINITY;
  #sureEndMs = Number.POSITIVE_INFINITY;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
  }

  /**
   * From now on there is so much time, of which `sureShare` is sure of a processor. What the thread has had of a processor until now, in
   * milliseconds.
   */
  begin(deadlineMs: number, sureShare = SURE_SHARE): number {
    this.#deadlineMs = deadlineMs;
    this.#sureMs = deadlineMs * sureShare;
    const { wallMs, processorMs } = this.#clocks;
    const processor = processorMs();
    this.#wallEndMs = wallMs() + deadlineMs;
    this.#sureEndMs = processor + this.#sureMs;
    return processor;
  }

  readonly expectTime = (): void => {
    // The wall is asked more quickly, and no thread has more time than it.
    if (this.#clocks.wallMs() < this.#wallEndMs || this.#clocks.processorMs() < this.#sureEndMs) return;
    throw new EvaluationFailure(Failure.Timeout, stoppedText(this.#deadlineMs, this.#sureMs));
  };
}
