// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { RUN_CALL_REASONS } from '#crds/v1alpha1/run-calls';
import type { ErrorCode, ReconcileError } from '../errors.ts';
import type { KubeObject } from '../object.ts';
import { DONE, GONE_MS, type Result, statusOnly } from '../plan.ts';
import { podRemoval } from './pod.ts';
import { answerLeftMs, planAnswer, planUnanswered } from './question.ts';
import { ungroupedFailure } from '../kueue/gang.ts';
import { contactOf } from '../tenant/contact.ts';
import { planActive } from './active.ts';
import { admit } from './admission.ts';
import { refusedCall } from './calls.ts';
import { approvalLeftMs, planAsk, planDecision } from './approval.ts';
import { planDuplicate } from './duplicate.ts';
import { inEarnest, tellDryRun } from './dry-run.ts';
import { planEarly } from './early.ts';
import { cancellation, fail, finish, requeue } from './ending.ts';
import type { FullQueue, RunObserved, RunPlan } from './observed.ts';
import { type Failure, isPodFinished } from './outcome.ts';
import { toolsRefused } from './bounds.ts';
import { misfit } from './parameters.ts';
import { judgeParent } from './parent.ts';
import { attemptLabelOf, isGang } from './gang.ts';
import { planGang } from './gang-plan.ts';
import { giveUpStart, waitForStart } from './gang-start.ts';
import { isWorthWriting, nextLookInQueueMs, nextLookMs } from './queue-place.ts';
import { NO_KIN, retire } from './retirement.ts';
import { waitForRetry } from './retry.ts';
import { attemptsOf, isActive, isFinished, isOwnedBy, phaseOf, type Run } from './run.ts';
import { isNoJob } from './service-instead.ts';
import { settleUnmade } from './settlement.ts';
import { notStarted, sooner, startingDeadlineMs } from './starting-deadline.ts';
import { type Cause, queuedStatus } from './status.ts';
import { giveBack, SUSPENDED } from './suspension.ts';
import { withTree } from './tree-status.ts';
import { countOf } from '../words.ts';

/**
 * A new Run that is about to be admitted is not written as Queued first; but its user waits no longer than this: two seconds, and
 * the one of which creationTimestamp may be short.
 */
const PATIENCE_MS = 3000;

/** How often a Run that is to be deleted looks whether it may go. */
const COUNTED_MS = 500;
/** The same, while Runs that it has called are still ended, or counted. */
const BELOW_MS = 5000;

/** Decides what becomes of a Run. Queued → Admitted → Running → Succeeded, Failed or Cancelled. */
export function planRun(run: Run, observed: RunObserved, now: Date): RunPlan {
  const plan = withTree(run, { plan: planPhase(run, observed, now), observed }, now);
  const remove = lateOnes(run, observed).filter(isKept).map(podRemoval);
  return remove.length === 0 ? plan : { ...plan, remove: [...remove, ...plan.remove] };
}

function planPhase(run: Run, observed: RunObserved, now: Date): RunPlan {
  if (isFinished(run)) return planFinished(run, observed, now);
  if (observed.early !== undefined) return planEarly(run, observed.early, { observed, now });
  if (run.spec.dryRun && cancellation(run) === undefined) {
    return tellDryRun(run, { plan: planQueued(inEarnest(run), observed, now), observed }, now);
  }
  if (phaseOf(run) === 'Queued') return planQueued(run, observed, now);
  return isGang(run) ? planGang(run, observed, now) : planActive(run, observed, now);
}

function planQueued(run: Run, observed: RunObserved, now: Date): RunPlan {
  const unwanted = cancellation(run);
  if (unwanted !== undefined) return finish(run, unwanted, now);
  const orphaned = planOrphaned(run, observed, now);
  if (orphaned !== undefined) return orphaned;
  if (lateOnes(run, observed).length > 0) return statusOnly(run.status);
  const duplicate = planDuplicate(run, observed, now);
  if (duplicate !== undefined) return duplicate;
  const settled = planDecision(run, now) ?? planAnswer(run, now) ?? planReserved(run, observed, now);
  if (settled !== undefined) return settled;
  const leftMs = startingDeadlineMs(run, now);
  if (leftMs <= 0) return fail(run, notStarted(run, observed.place), now);
  const peopleMs = Math.min(approvalLeftMs(run, now), answerLeftMs(run, now));
  return sooner(planWaiting(run, observed, now), Math.min(leftMs, peopleMs));
}

/** Ends a waiting Run whose parent is not, or never was, under way. */
function planOrphaned(run: Run, { parent }: RunObserved, now: Date): RunPlan | undefined {
  const verdict = judgeParent(run, parent);
  if (verdict?.kind === 'refused') return fail(run, verdict.failure, now);
  if (verdict?.kind !== 'over') return undefined;
  const { message } = verdict;
  return finish(run, { phase: 'Cancelled', reason: RUN_CALL_REASONS.ParentEnded, message }, now);
}

/** What becomes of a Run with a reservation; undefined while it still waits for those from whom it takes over. */
function planReserved(run: Run, observed: RunObserved, now: Date): RunPlan | undefined {
  const { reservation } = observed;
  if (reservation === undefined || reservation.attempt <= attemptsOf(run)) return undefined;
  if (run.spec.suspend) return giveBack(run, reservation, { ...SUSPENDED, now });
  return reservation.awaits === undefined ? admit(run, { ...observed, reservation }, now) : undefined;
}

function planWaiting(run: Run, observed: RunObserved, now: Date): RunPlan {
  const { place } = observed;
  if (place.kind === 'none') {
    const message = 'the namespace belongs to no tenant, or its tenant is not ready';
    const nowhere = { position: undefined, reason: RUN_REASONS.TenantNotFound, message };
    return wait(run, nowhere, { againMs: nextLookMs(run, nowhere, now), now });
  }
  if (place.kind === 'next') return waitForReservation(run, now);
  // Before anything that passes: to create such a Run again later would be in vain.
  const refused = refusalOf(place);
  if (refused !== undefined) return fail(run, refused, now);
  if (place.full !== undefined && run.status?.phase === undefined) {
    const contact = contactOf(observed.tenant);
    return fail(run, queueFull(place.full, { why: place, contact }), now);
  }
  return (
    planPaused(run, now) ??
    planPeople(run, observed, now) ??
    wait(run, place, { againMs: nextLookInQueueMs(run, place, now), now })
  );
}

/** How a Run fails that waits for what does not come; undefined for any other. */
function refusalOf(cause: Cause): Failure | undefined {
  if (cause.reason === RUN_REASONS.InvalidParameters) return misfit(cause.message);
  if (cause.reason === RUN_REASONS.ToolsNotAllowed) return toolsRefused(cause.message);
  // Said by its queue, before it has any quota: what is told of a workload that was made is no place in a queue.
  if (cause.reason === RUN_REASONS.WorkloadRefused) return ungroupedFailure(cause.message);
  return cause.reason === RUN_REASONS.AgentIsService ? isNoJob(cause.message) : refusedCall(cause);
}

/** What a Run asks of people; undefined where it waits for none. */
function planPeople(run: Run, observed: RunObserved, now: Date): RunPlan | undefined {
  return planAsk(run, observed, now) ?? planUnanswered(run, observed, now);
}

/** What keeps a Run from wanting quota at all is told at once, and not when its place is due to be written again. */
function planPaused(run: Run, now: Date): RunPlan | undefined {
  const { retries, startBackoff, queue } = run.status ?? {};
  if (run.spec.suspend) {
    const isTold = queue?.reason === SUSPENDED.reason;
    return isTold ? undefined : statusOnly(queuedStatus(run, { position: undefined, ...SUSPENDED }, now));
  }
  if (retries?.notBefore !== undefined) return waitForRetry(run, retries, now);
  return startBackoff?.notBefore === undefined ? undefined : waitForStart(run, startBackoff, now);
}

function queueFull(
  { found, allowed }: FullQueue,
  { why, contact }: { readonly why: Cause; readonly contact: string },
): Failure {
  const full = `the tenant's queue is full: found ${countOf(found, 'waiting Run')}, allowed: ${allowed} (quotas.runs.maxQueued)`;
  const would = `This one would wait as well: ${why.message.replace(/\.$/, '')}`;
  const message = `${full}. ${would}. Create the Run again later, or ask ${contact}.`;
  // Over the rate alone, the same Run would be taken a moment later.
  const isTooFast = why.reason === RUN_REASONS.RateLimited;
  return {
    reason: isTooFast ? RUN_REASONS.RateLimited : RUN_REASONS.QueueFull,
    error: { code: isTooFast ? 'rate_limited' : 'quota_exceeded', message, retryable: true },
  };
}

function waitForReservation(run: Run, now: Date): RunPlan {
  const age = now.getTime() - Date.parse(run.metadata.creationTimestamp ?? '');
  const result = requeue(250, 'for the ledger to reserve');
  if (run.status?.phase !== undefined || age < PATIENCE_MS) return statusOnly(run.status, result);
  const message = 'it fits, and its quota is being reserved';
  return statusOnly(
    queuedStatus(run, { position: undefined, reason: RUN_REASONS.Pending, message }, now),
    requeue(1000, 'for the ledger to reserve'),
  );
}

function wait(
  run: Run,
  place: Parameters<typeof queuedStatus>[1],
  { againMs, now }: { readonly againMs: number; readonly now: Date },
): RunPlan {
  const result = requeue(againMs, 'to look at its place in the queue again');
  if (!isWorthWriting(run, place, now)) return statusOnly(run.status, result);
  return statusOnly(queuedStatus(run, place, now), result);
}

/**
 * The API server will not have the workload of a Run, since it is invalid, or somebody else's object has its name: no wait would help, and
 * its place is for others. Of what is forbidden that is less certain: undefined, so that it is tried again.
 */
export function planRefused(run: Run, { code, message }: ReconcileError, now: Date): RunPlan | undefined {
  if (!HOPELESS.has(code)) return undefined;
  const error = { code, message: `the API server refuses its workload: ${message}`, retryable: false };
  const failure = { reason: RUN_REASONS.WorkloadRefused, error };
  return isGang(run) ? giveUpStart(run, failure, now) : fail(settleUnmade(run, now), failure, now);
}

const HOPELESS: ReadonlySet<ErrorCode> = new Set(['conflict', 'invalid_request']);

/**
 * Those of `pods` that are of other attempts of `run` than its present one, and have not ended. Of later ones only where the Run has ended,
 * which is for ever: any other that is seen late may be at a later attempt than it says.
 */
export function leftoversOf(run: Run, pods: readonly KubeObject[]): readonly KubeObject[] {
  return pods.filter((pod) => isOver(pod, run) && isLate(pod, run));
}

function isOver(pod: KubeObject, run: Run): boolean {
  const attempt = attemptLabelOf(pod) ?? Number(/-([0-9]+)$/.exec(pod.metadata.name)?.[1]);
  return attempt < attemptsOf(run) || (attempt > attemptsOf(run) && isFinished(run));
}

/** Pods that a former leader made too late: they must neither outlive the end of their Run, nor run beside the next attempt. */
function lateOnes(run: Run, { pod, members = [], leftovers = [] }: RunObserved): readonly KubeObject[] {
  if (isActive(run)) return leftovers;
  const present = pod === undefined ? members.map((one) => one.pod) : [pod];
  return [...present.filter((one) => isLate(one, run)), ...leftovers];
}

function isLate(pod: KubeObject, run: Run): boolean {
  return isOwnedBy(pod, run) && !isPodFinished(pod);
}

/** Whether nobody has asked for the deletion of a pod yet. */
function isKept({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp === undefined;
}

function planFinished(run: Run, observed: RunObserved, now: Date): RunPlan {
  const { ttlSecondsAfterFinished } = run.spec;
  if (ttlSecondsAfterFinished === undefined) return statusOnly(run.status);
  const leftMs = Date.parse(run.status?.finishedAt ?? '') + ttlSecondsAfterFinished * 1000 - now.getTime();
  if (leftMs > 0) return statusOnly(run.status, requeue(leftMs, 'to delete it after its time'));
  // Its last attempt is counted by the write that gives its reservation back, from what it says.
  if (observed.reservation !== undefined)
    return statusOnly(run.status, requeue(COUNTED_MS, 'for its use to be counted'));
  const { remove, waits } = retire([run], observed.kin ?? NO_KIN);
  return { ...statusOnly(run.status, untilGone(run, waits)), remove };
}

/** What an archive has taken may fail to be removed after this pass, and tells nobody: whoever wants it gone looks again. */
function untilGone({ metadata }: Run, waits: boolean): Result {
  if (metadata.deletionTimestamp !== undefined) return DONE;
  return waits ? requeue(BELOW_MS, 'for Runs that it has called') : requeue(GONE_MS, 'for it to be gone');
}
