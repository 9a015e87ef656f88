// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { DryRunStatus } from '#crds/v1alpha1/run-dry-run';
import { findCondition, READY, truncate } from '../conditions.ts';
import type { Condition, KubeObject } from '../object.ts';
import { statusOnly } from '../plan.ts';
import { fail, finish, requeue } from './ending.ts';
import { attemptLabelOf } from './gang.ts';
import type { RunObserved, RunPlan } from './observed.ts';
import type { Run } from './run.ts';

/** What is applied together with a dry run is given so long to be seen, and Agents to be looked at. */
const PATIENCE_MS = 3000;
const COMING: ReadonlySet<string> = new Set([
  RUN_REASONS.AgentNotFound,
  RUN_REASONS.AgentNotReady,
  RUN_REASONS.RevisionNotFound,
  RUN_REASONS.TenantNotFound,
]);

/** The same Run as if it were none that only asks. */
export function inEarnest(run: Run): Run {
  return { ...run, spec: { ...run.spec, dryRun: false } };
}

/**
 * Ends a dry run with what `plan`, the decision on the same Run in earnest, would have done, and does nothing of it. It
 * fails if that Run would.
 */
export function tellDryRun(
  run: Run,
  { plan, observed }: { readonly plan: RunPlan; readonly observed: RunObserved },
  now: Date,
): RunPlan {
  const dryRun = verdictOf(plan, observed);
  // Nothing was decided: the queue has not seen what it needs yet.
  if (dryRun === undefined) return statusOnly(run.status, plan.result);
  if (COMING.has(dryRun.reason) && ageMs(run, now) < PATIENCE_MS) {
    return statusOnly(run.status, requeue(500, 'for what was made together with it'));
  }
  const told: Run = { ...run, status: { ...run.status, dryRun } };
  const { reason, message, phase } = dryRun;
  const { error } = plan.status ?? {};
  if (phase === 'Failed' && error !== undefined) return fail(told, { reason, error }, now);
  const words = `dry run: it would be ${phase} (${reason}): ${message}`;
  return finish(told, { phase: 'Succeeded', reason: RUN_REASONS.DryRun, message: words }, now);
}

function ageMs({ metadata }: Run, now: Date): number {
  return now.getTime() - Date.parse(metadata.creationTimestamp ?? '');
}

/** What a Run says that is admitted would be untrue of one that only asks. */
const WOULD_START = 'its quota is free, and its workload would be made at once';
const WOULD_WAIT = 'its quota is free; its pod would be made at once, and wait for Kueue to admit it';

function verdictOf({ status, create }: RunPlan, { place, demand }: RunObserved): DryRunStatus | undefined {
  const ready = findCondition(status?.conditions ?? [], READY);
  const { phase } = status ?? {};
  if (phase === undefined || phase === 'Running' || ready === undefined) return undefined;
  const creates = namesOf(create);
  return {
    phase,
    reason: ready.reason,
    message: messageOf(ready),
    ...(creates.length > 0 && { creates }),
    ...(phase === 'Queued' && place.kind === 'waiting' && { position: place.position }),
    ...demand,
  };
}

/** What would be made; the pods of a Run of many count as one line. */
function namesOf(objects: readonly KubeObject[]): NonNullable<DryRunStatus['creates']> {
  const first = objects.find((one) => attemptLabelOf(one) !== undefined);
  const count = objects.filter((one) => attemptLabelOf(one) !== undefined).length;
  return objects
    .filter((one) => one === first || attemptLabelOf(one) === undefined)
    .map((one) => ({ kind: one.kind, name: one.metadata.name, ...(one === first && { count }) }));
}

function messageOf({ reason, message }: Condition): string {
  if (reason === RUN_REASONS.WaitingForCapacity) return WOULD_WAIT;
  return reason === RUN_REASONS.Admitted ? WOULD_START : truncate(message, 4096);
}
