// SPDX-License-Identifier: Apache-2.0
import type { StartBackoff } from '#crds/v1alpha1/gang';
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import { toInstant } from '../conditions.ts';
import { statusOnly } from '../plan.ts';
import { requeue } from './ending.ts';
import type { RunPlan } from './observed.ts';
import type { Failure } from './outcome.ts';
import type { Run } from './run.ts';
import { activeStatus, type Cause, queuedStatus } from './status.ts';

/** How long a Run waits that could not be started whole: after each time in a row twice as long, up to the most. */
const BACKOFF_MS = { first: 10_000, most: 600_000 };

/** Has a Run of many pods, nothing of which is left, wait for its next try. It spends no retry: nothing of it has failed. */
export function backOffStart(run: Run, { reason, message }: Cause, now: Date): RunPlan {
  const failed = (run.status?.startBackoff?.failed ?? 0) + 1;
  return waitUntilTried(run, { failed, cause: { reason, message } }, now);
}

/** A Run that was not started whole: it waits for the time of the next try, and then for quota like any other. */
export function waitForStart(run: Run, { failed, notBefore = '' }: StartBackoff, now: Date): RunPlan {
  const leftMs = Date.parse(notBefore) - now.getTime();
  // The clock has gone back since: nobody waits longer for that.
  if (leftMs > backoffMs(failed)) {
    const message = 'not all of its pods could be started';
    return waitUntilTried(run, { failed, cause: { reason: RUN_REASONS.GangNotStarted, message } }, now);
  }
  if (leftMs > 0) return statusOnly(run.status, requeue(leftMs, 'to start all pods'));
  const message = 'it waits for its quota once more, since not all of its pods could be started';
  const place = { position: undefined, reason: RUN_REASONS.Pending, message };
  const status: RunStatus = { ...queuedStatus(run, place, now), startBackoff: { failed } };
  return statusOnly(status, requeue(250, 'for the ledger to reserve'));
}

/** Has the pods of a Run ended that were made, and the Run fail then: what others of them lack does not come. */
export function giveUpStart(run: Run, { reason, error }: Failure, now: Date): RunPlan {
  const status = activeStatus(run, { phase: 'Admitted', reason, message: error.message, error }, now);
  return statusOnly(status, requeue(1, 'to end what was made'));
}

function waitUntilTried(
  run: Run,
  { failed, cause }: { readonly failed: number; readonly cause: Cause },
  now: Date,
): RunPlan {
  const waitMs = backoffMs(failed);
  const notBefore = toInstant(new Date(now.getTime() + waitMs));
  const { reason } = cause;
  const message = `it is tried again after ${notBefore}, without a retry spent: ${cause.message}`;
  const queued = queuedStatus(run, { position: undefined, reason, message }, now);
  const status: RunStatus = { ...queued, startBackoff: { failed, notBefore } };
  const event = { type: 'Warning', reason, message } as const;
  return { ...statusOnly(status, requeue(waitMs, 'to start all pods')), events: [event] };
}

function backoffMs(failed: number): number {
  return Math.min(BACKOFF_MS.first * 2 ** (failed - 1), BACKOFF_MS.most);
}
