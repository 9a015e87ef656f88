// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { requeue } from './ending.ts';
import type { Place, RunPlan } from './observed.ts';
import type { Failure } from './outcome.ts';
import type { Run } from './run.ts';
import { countOf } from '../words.ts';

/** How long a Run may still wait for its first admission, in milliseconds; infinite when nothing bounds that. */
export function startingDeadlineMs(run: Run, now: Date): number {
  const { startingDeadlineSeconds } = run.spec;
  // Not by its attempts: one that was suspended before it was admitted has spent the number of one.
  if (startingDeadlineSeconds === undefined || run.status?.admittedAt !== undefined) return Infinity;
  const createdMs = Date.parse(run.metadata.creationTimestamp ?? '');
  return createdMs + startingDeadlineSeconds * 1000 - now.getTime();
}

/** How a Run fails that was not admitted in time: for what it waits now, which was not told yet where it was just something else. */
export function notStarted({ spec, status }: Run, place: Place): Failure {
  const message = place.kind === 'waiting' ? place.message : status?.queue?.message;
  const why = message === undefined ? '' : `: ${message}`;
  const waited = `not admitted within ${countOf(spec.startingDeadlineSeconds ?? 0, 'second')} (spec.startingDeadlineSeconds)`;
  const error = { code: 'timeout', message: `${waited}${why}`, retryable: true } as const;
  return { reason: RUN_REASONS.StartingDeadlineExceeded, error };
}

/** The same plan, looked at again after `leftMs` at the latest. */
export function sooner(plan: RunPlan, leftMs: number): RunPlan {
  if (leftMs === Infinity) return plan;
  const { result } = plan;
  const isSoon = result.kind === 'requeueAfter' && result.afterMs <= leftMs;
  return isSoon ? plan : { ...plan, result: requeue(leftMs, 'for its deadline') };
}
