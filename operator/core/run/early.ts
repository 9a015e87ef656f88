// SPDX-License-Identifier: Apache-2.0
import { planActive } from './active.ts';
import { admittedBy, type Early } from './admission-record.ts';
import type { RunObserved, RunPlan } from './observed.ts';
import type { Run } from './run.ts';
import { sooner } from './starting-deadline.ts';

/** How long a Run may be admitted before it says so, if there is nothing else to say. */
const TOLD_WITHIN_MS = 500;

/**
 * What becomes of a Run that is admitted and does not say so yet: the same as of one that does, and what there is to tell is told with it. Without
 * any news it is told after a moment.
 */
export function planEarly(
  run: Run,
  early: Early,
  { observed, now }: { readonly observed: RunObserved; readonly now: Date },
): RunPlan {
  const admitted = admittedBy(run, early);
  const plan = planActive(admitted, { ...observed, pod: early.pod }, now);
  const leftMs = early.record.atMs + TOLD_WITHIN_MS - now.getTime();
  const isNews = plan.status !== admitted.status || plan.remove.length > 0;
  // A clock that went back must not keep it.
  if (isNews || leftMs <= 0 || leftMs > TOLD_WITHIN_MS) return plan;
  return sooner({ ...plan, status: run.status }, leftMs);
}
