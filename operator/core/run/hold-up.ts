// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import { findCondition, READY, toInstant } from '../conditions.ts';
import { type ReconcileError, RefusedError } from '../errors.ts';
import { defined, type Condition } from '../object.ts';
import { statusOnly } from '../plan.ts';
import { TRIED_AGAIN_MS, withoutFigures } from '../refused-write.ts';
import { cancellation } from './ending.ts';
import type { RunPlan } from './observed.ts';
import type { Failure } from './outcome.ts';
import { isGang } from './gang.ts';
import { giveUpStart } from './gang-start.ts';
import { isEnding } from './interruption.ts';
import { failAttempt } from './retry.ts';
import { isWaitingForCapacity, phaseOf, type Run } from './run.ts';
import { settleUnmade } from './settlement.ts';
import { activeStatus } from './status.ts';

/** What passes by itself within this time after the admission is not worth a write. */
const TOLD_AFTER_MS = 3000;
/** What is forbidden is given up after this long: it was tried some ten times by then. */
const REFUSED_MS = 60_000;
/** What is refused for reasons that may pass (a webhook that is away) holds its place no longer. */
const STUCK_MS = 600_000;
/** Refusals that are none of the workload's fault. */
const PASSING = /failed calling webhook|internal error|timed out|timeout|connection refused/i;

/**
 * Decides what becomes of an admitted Run whose workload could not be made: it says why, and is tried again, until it is given up. Quota frees
 * itself, or is moved to where it is wanted; anything else is refused again and again. Undefined: nothing yet.
 */
export function planHeldUp(run: Run, obstacle: ReconcileError, now: Date): RunPlan | undefined {
  if (!isBeingMade(run)) return undefined;
  const refusal = lastingRefusal(obstacle);
  const since = refusedSince(run, obstacle) ?? toInstant(now);
  const leftMs = refusal === undefined ? Infinity : Date.parse(since) + refusal.forMs - now.getTime();
  if (refusal !== undefined && leftMs <= 0) return givenUpAs(run, refusal, now);
  if (now.getTime() - admittedMs(run) < TOLD_AFTER_MS) return undefined;
  const message = `its workload cannot be made yet, and is tried again: ${obstacle.message}`;
  const atMostMs = Math.min(TRIED_AGAIN_MS, leftMs);
  const refusedAt = refusal && since;
  return statusOnly(told(run, { message, refusedAt }, now), {
    kind: 'retry',
    atMostMs,
    why: 'to make its workload',
  });
}

/** Of many pods some may have been made, which have to end first. */
function givenUpAs(run: Run, refusal: Failure, now: Date): RunPlan {
  return isGang(run) ? giveUpStart(run, refusal, now) : failAttempt(settleUnmade(run, now), refusal, now);
}

/** The status that says it, or the present one when that says the same. */
function told(
  run: Run,
  { message, refusedAt }: { readonly message: string; readonly refusedAt: string | undefined },
  now: Date,
): RunStatus | undefined {
  const ready = holdUpOf(run);
  const isSaid = ready !== undefined && withoutFigures(ready.message) === withoutFigures(message);
  if (isSaid && run.status?.child?.refusedAt === refusedAt) return run.status;
  const phase = isWaitingForCapacity(run) ? 'Queued' : 'Admitted';
  const cause = { phase, reason: RUN_REASONS.WorkloadRefused, message } as const;
  return activeStatus(withoutRefusal(run), { ...cause, ...defined({ refusedAt }) }, now);
}

/** What lets its time begin anew: it was refused for another reason since, or not at all. */
function withoutRefusal(run: Run): Run {
  const { child } = run.status ?? {};
  if (child === undefined) return run;
  const { refusedAt: _, ...others } = child;
  return { ...run, status: { ...run.status, child: others } };
}

/** Since when it was refused by the like of `obstacle`: what may pass, and what is forbidden, have a time of their own each. */
function refusedSince(run: Run, { message }: ReconcileError): string | undefined {
  const told = holdUpOf(run);
  const isAlike = told !== undefined && PASSING.test(told.message) === PASSING.test(message);
  return isAlike ? run.status?.child?.refusedAt : undefined;
}

/** How a Run fails whose workload is refused by more than quota for so long. */
function lastingRefusal(obstacle: ReconcileError): (Failure & { readonly forMs: number }) | undefined {
  const { code, message: words } = obstacle;
  if (obstacle instanceof RefusedError) return givenUp(RUN_REASONS.WorkloadRefused, REFUSED_MS, obstacle);
  const isPassing = (code === 'dependency_unavailable' || code === 'timeout') && PASSING.test(words);
  return isPassing ? givenUp(RUN_REASONS.StartFailed, STUCK_MS, obstacle) : undefined;
}

function givenUp(reason: string, forMs: number, { code, message: words }: ReconcileError) {
  const message = `given up after ${forMs / 1000} seconds: its workload is refused: ${words}`;
  const retryable = reason === RUN_REASONS.StartFailed;
  return { reason, forMs, error: { code, message, retryable } };
}

function isBeingMade(run: Run): boolean {
  const isMissing = phaseOf(run) === 'Admitted' && run.status?.child?.uid === undefined;
  // Of many pods, those that were made may be ending: what that is for is not to be told over.
  const isWanted = isGang(run) ? !isEnding(run) : cancellation(run) === undefined;
  return isMissing && isWanted;
}

/** When the present attempt of a Run passed the first gate, in milliseconds. */
export function admittedMs(run: Run): number {
  const { queue, admittedAt } = run.status ?? {};
  return Date.parse((isWaitingForCapacity(run) ? queue?.since : admittedAt) ?? '');
}

const HOLD_UPS: ReadonlySet<string> = new Set([RUN_REASONS.WorkloadRefused, RUN_REASONS.InputNotFound]);

/** What keeps the workload of an admitted Run from being made, as it was told last. */
export function holdUpOf({ status }: Run): Condition | undefined {
  const ready = findCondition(status?.conditions ?? [], READY);
  return ready !== undefined && HOLD_UPS.has(ready.reason) ? ready : undefined;
}
