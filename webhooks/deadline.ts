// SPDX-License-Identifier: Apache-2.0
import type { Log } from '#operator/telemetry/log';
import type { AdmissionOutcome } from './metrics.ts';
import { type Answer, refused } from './review.ts';

/** By when something has to be answered, and of what to tell. */
export interface Deadline {
  /** By `performance.now()`. */
  readonly deadlineAt: number;
  /** How long that was from the beginning, in milliseconds. */
  readonly waitMs: number;
  readonly log: Log;
  readonly uid: string;
}

/** An answer, and how it came about. */
export interface Answered {
  readonly outcome: AdmissionOutcome;
  readonly answer: Answer;
}

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
/** Why signals end: without a reason, an error would be made for each, with its stack. */
const OVER = 'the request is over';
/** What the way to the API server and back may take of the time that it waits. */
const MARGIN = { share: 0.15, atLeastMs: 100 };

/**
 * How long an answer may take: `ownMs`, or somewhat less than the API server waits, which says so as Go writes durations.
 *
 * timeoutOf('3s', 2500) -> 2500; timeoutOf('1s', 2500) -> 850; timeoutOf(null, 2500) -> 2500
 */
export function timeoutOf(asked: string | null, ownMs: number): number {
  const parts = [...(asked ?? '').matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  const askedMs = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNIT_MS[unit ?? ''] ?? 0), 0);
  if (askedMs <= 0) return ownMs;
  return Math.max(Math.min(ownMs, askedMs - Math.max(askedMs * MARGIN.share, MARGIN.atLeastMs)), 1);
}

/**
 * What `decide` answers, or that it did not in time; whatever it throws is a refusal, since what nobody judged may not pass. Its signal is aborted
 * when it is late or has failed.
 */
export async function answerInTime(
  { deadlineAt, waitMs, log, uid }: Deadline,
  decide: (signal: AbortSignal, deadlineAt: number) => Promise<Answer>,
): Promise<Answered> {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  // Only where something may still be under way: to say so is an event, which costs each request that has its answer, and nobody hears it.
  const giveUp = (): void => abort.abort(OVER);
  const late = new Promise<Answered>((resolve) => {
    const tell = (): void => {
      giveUp();
      resolve(tooLate(waitMs));
    };
    timer = setTimeout(tell, Math.max(deadlineAt - performance.now(), 0));
  });
  const answered = decide(abort.signal, deadlineAt).then(
    (answer): Answered => ({ outcome: answer.allowed ? 'allowed' : 'refused', answer }),
    (error: unknown): Answered => {
      giveUp();
      log.error({ err: error, uid }, 'a request could not be judged');
      const message = `the request could not be judged, by a fault of the admission process; its log tells of ${uid}`;
      return { outcome: 'failed', answer: refused({ code: 'internal_error', message }) };
    },
  );
  try {
    return await Promise.race([answered, late]);
  } finally {
    clearTimeout(timer);
  }
}

function tooLate(waitMs: number): Answered {
  const message = `the request was not judged within ${Math.round(waitMs)} ms; try again`;
  return { outcome: 'timeout', answer: refused({ code: 'timeout', message }) };
}
