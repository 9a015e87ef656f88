// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { findCondition, READY } from '../conditions.ts';
import type { Condition } from '../object.ts';
import type { ReconcileError } from '../errors.ts';
import { statusOnly } from '../plan.ts';
import { TRIED_AGAIN_MS, withoutFigures } from '../refused-write.ts';
import { cancellation, requeue } from './ending.ts';
import type { RunPlan } from './observed.ts';
import { phaseOf, type Run } from './run.ts';
import { activeStatus } from './status.ts';

/** What passes by itself within this time after the admission is not worth a write. */
const TOLD_AFTER_MS = 3000;

/** Decides what an admitted Run says when its workload could not be made and will be tried again; undefined: nothing yet. */
export function planHeldUp(run: Run, { message: words }: ReconcileError, now: Date): RunPlan | undefined {
  if (!isBeingMade(run) || now.getTime() - admittedMs(run) < TOLD_AFTER_MS) return undefined;
  const message = `its workload cannot be made yet, and is tried again: ${words}`;
  const result = requeue(TRIED_AGAIN_MS, 'to make its workload');
  const told = holdUpOf(run);
  if (told !== undefined && withoutFigures(told.message) === withoutFigures(message))
    return statusOnly(run.status, result);
  const cause = { phase: 'Admitted', reason: RUN_REASONS.WorkloadRefused, message } as const;
  return statusOnly(activeStatus(run, cause, now), result);
}

function isBeingMade(run: Run): boolean {
  const isMissing = phaseOf(run) === 'Admitted' && run.status?.child?.uid === undefined;
  return isMissing && cancellation(run) === undefined;
}

/** When the present attempt of an admitted Run was admitted, in milliseconds. */
export function admittedMs({ status }: Run): number {
  return Date.parse(status?.admittedAt ?? '');
}

const HOLD_UPS: ReadonlySet<string> = new Set([RUN_REASONS.WorkloadRefused, RUN_REASONS.InputNotFound]);

/** What keeps the workload of an admitted Run from being made, or its pod, as it was told last. */
export function holdUpOf({ status }: Run): Condition | undefined {
  const ready = findCondition(status?.conditions ?? [], READY);
  return ready !== undefined && HOLD_UPS.has(ready.reason) ? ready : undefined;
}
