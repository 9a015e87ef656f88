// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { DONE, type Result, statusOnly } from '../plan.ts';
import type { RunPlan } from './observed.ts';
import type { Failure } from './outcome.ts';
import type { Said } from './result.ts';
import type { Run } from './run.ts';
import { type Ending, finishedStatus } from './status.ts';

/**
 * How a Run ends that is not wanted any more: it was cancelled, or deleted while the finalizer of somebody else keeps the object.
 * Undefined while it is wanted.
 */
export function cancellation({ metadata, spec }: Run): Ending | undefined {
  const cancelled = { phase: 'Cancelled', reason: RUN_REASONS.Cancelled } as const;
  if (spec.cancel) return { ...cancelled, message: 'cancelled by spec.cancel' };
  if (metadata.deletionTimestamp === undefined) return undefined;
  const keepers = metadata.finalizers?.join(', ') ?? '';
  return {
    ...cancelled,
    message: `cancelled, since the Run was deleted; what keeps it: finalizers ${keepers}`,
  };
}

/** How an attempt failed, as far as that is known. */
export type Ended = Failure & { readonly startedAt?: string; readonly said?: Said };

/** Ends a Run as failed. */
export function fail(run: Run, failure: Ended, now: Date): RunPlan {
  const { reason, error, said = {} } = failure;
  const ending = { phase: 'Failed', reason, message: error.message, error, said } as const;
  return finish(run, { ...ending, ...startOf(failure) }, now);
}

/** Ends a Run, and has it deleted after its time. */
export function finish(run: Run, ending: Ending, now: Date): RunPlan {
  const { ttlSecondsAfterFinished } = run.spec;
  const status = finishedStatus(run, ending, now);
  if (ttlSecondsAfterFinished === undefined) return statusOnly(status);
  return statusOnly(status, requeue(ttlSecondsAfterFinished * 1000, 'to delete it after its time'));
}

/** The start of a container, where it is known. */
export function startOf({ startedAt }: { readonly startedAt?: string | undefined }) {
  return startedAt === undefined ? {} : { startedAt };
}

/** Come back in `afterMs`; nothing more when that is no time at all. */
export function requeue(afterMs: number, why: string): Result {
  return afterMs > 0 ? { kind: 'requeueAfter', afterMs, why } : DONE;
}
