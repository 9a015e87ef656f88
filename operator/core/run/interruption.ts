// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { RUN_CALL_REASONS } from '#crds/v1alpha1/run-calls';
import { findCondition, READY } from '../conditions.ts';
import type { Condition } from '../object.ts';
import { cancellation } from './ending.ts';
import { missedDevices } from './no-devices.ts';
import type { RunObserved } from './observed.ts';
import { isGated, KUEUE_GONE } from './capacity.ts';
import { type Failure, isEvictedByKueue, lossOf } from './outcome.ts';
import { overspending } from './overspending.ts';
import { preemption } from './preemption.ts';
import { attemptsOf, phaseOf, type Run } from './run.ts';
import type { Cause } from './status.ts';
import { SUSPENDED } from './suspension.ts';

const PAUSED: Cause = {
  reason: RUN_REASONS.Paused,
  message: 'paused while the tenant is suspended; it goes back to the queue and spends no retry',
};

/** What cuts an attempt short and leads back to the queue. */
const INTERRUPTIONS: ReadonlySet<string> = new Set([
  RUN_REASONS.Paused,
  RUN_REASONS.Suspended,
  RUN_REASONS.NoFreeDevices,
  RUN_REASONS.BudgetExhausted,
  RUN_CALL_REASONS.TreeBudgetExhausted,
  RUN_REASONS.NodeLost,
  RUN_REASONS.Preempted,
  RUN_REASONS.GangNotStarted,
  RUN_REASONS.Evicted,
  RUN_REASONS.KueueMissing,
]);

/** Why the workload of an admitted Run is to be ended, if so. */
export function endingCause(run: Run, observed: RunObserved, now: Date): Cause | undefined {
  const { tenant, missing, reservation } = observed;
  const givenUp = givenUpFor(run);
  if (givenUp !== undefined) return { reason: givenUp.reason, message: givenUp.error.message };
  if (cancellation(run) !== undefined) {
    const why = run.spec.cancel ? '' : 'the Run was deleted, and ';
    return { reason: RUN_REASONS.Cancelling, message: `${why}its workload is being ended` };
  }
  if (run.spec.suspend) return SUSPENDED;
  if (isPausedBy(observed, attemptsOf(run))) return PAUSED;
  const wanted = () =>
    overspending(run, { reservation, tenant }, now) ?? preemption(run, reservation) ?? forsaken(observed);
  return underWay(run, observed) ?? wanted() ?? missedDevices(missing, now);
}

/**
 * Whether the tenant pauses its Runs, and the ledger that has admitted this attempt admits nobody since. A Run that pauses before that is admitted once more at
 * once; and one that was just admitted again by who has seen the tenant go on, must not be paused by who has not.
 */
function isPausedBy({ tenant, isClosed, reservation }: RunObserved, attempt: number): boolean {
  if (tenant?.spec.suspended !== true || tenant.spec.suspendPolicy !== 'Pause') return false;
  return isClosed === true && (reservation?.attempt ?? 0) >= attempt;
}

/** Whether a Run gives back what it holds without anybody else ending it: by what its user wants, or what it was told before. */
export function isEnding(run: Run): boolean {
  if (cancellation(run) !== undefined || run.spec.suspend) return true;
  // Of a Run that is back in the queue, Ready tells of the attempt that is over.
  return phaseOf(run) !== 'Queued' && isToldToEnd(run);
}

/** Whether an attempt was told that it ends, which holds whatever is changed since. */
export function isToldToEnd(run: Run): boolean {
  return (givenUpFor(run) ?? begun(run)) !== undefined || wasCalledOff(run);
}

/** Whether a Run was told that it ends with the one that called it. */
function wasCalledOff(run: Run): boolean {
  return readyOf(run)?.reason === RUN_CALL_REASONS.ParentEnded;
}

/** What a Run was given up for, so that it fails as soon as its workload is gone. */
export function givenUpFor(run: Run): Failure | undefined {
  const { error } = run.status ?? {};
  const reason = readyOf(run)?.reason;
  return error === undefined || reason === undefined ? undefined : { reason, error };
}

/** What cannot be taken back any more, by us or by others. */
function underWay(run: Run, observed: RunObserved): Cause | undefined {
  return begun(run) ?? lost(observed);
}

/**
 * The interruption that was told before. It was written before its pod was deleted, or had ended, so it holds whatever was changed since:
 * without it, an end that we made would be taken for somebody else's.
 */
function begun(run: Run): Cause | undefined {
  const ready = readyOf(run);
  if (ready === undefined || !INTERRUPTIONS.has(ready.reason)) return undefined;
  return { reason: ready.reason, message: ready.message };
}

/** What its container makes of being told to end does not matter, as with every end of ours. */
function lost({ pod }: RunObserved): Cause | undefined {
  const why = pod && lossOf(pod);
  if (why === undefined) return undefined;
  if (pod !== undefined && isEvictedByKueue(pod)) {
    const message = `Kueue has taken its place back, so it goes back to the queue and spends no retry: ${why}`;
    return { reason: RUN_REASONS.Evicted, message };
  }
  const message = `its pod was lost, so it goes back to the queue and spends no retry: ${why}`;
  return { reason: RUN_REASONS.NodeLost, message };
}

/** A pod whose gate nobody will open any more. */
function forsaken({ pod, capacity }: RunObserved): Cause | undefined {
  return pod !== undefined && isGated(pod) && capacity === undefined ? KUEUE_GONE : undefined;
}

function readyOf({ status }: Run): Condition | undefined {
  return findCondition(status?.conditions ?? [], READY);
}
