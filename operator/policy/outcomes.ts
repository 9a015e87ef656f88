// SPDX-License-Identifier: Apache-2.0
import { Failure, type Verdict, verdictOf } from './verdict.ts';
import type { LaneOutcome } from './workers/lane.ts';

/** By the host or by its worker: not one that gave up by itself. */
export function wasStopped(
  outcome: LaneOutcome,
): outcome is Extract<LaneOutcome, { readonly reason: Failure; readonly message: string }> {
  // That the machine is busy is said of the replica.
  if (outcome.kind === 'stopped') return outcome.reason !== Failure.Overloaded;
  return outcome.kind === 'failed' && outcome.reason === Failure.Timeout;
}

/** What it took to load in time of its own. */
export function apartMsOf(outcome: LaneOutcome): number {
  return outcome.kind === 'crowded' ? 0 : (outcome.apartMs ?? 0);
}

/** What is told of it: without the time in which it was loaded apart, since that is none of its rules. */
export function toVerdict(outcome: LaneOutcome): Verdict {
  if (outcome.kind === 'crowded') return failed(Failure.Overloaded, outcome.message);
  const micros = Math.max(outcome.micros - Math.round(apartMsOf(outcome) * 1000), 0);
  if (outcome.kind === 'answer') return verdictOf(outcome.json, micros);
  return { kind: 'failed', reason: outcome.reason, message: outcome.message, micros };
}

/** What came to no value before it was begun. */
export function failed(reason: Failure, message: string): Verdict {
  return { kind: 'failed', reason, message, micros: 0 };
}
