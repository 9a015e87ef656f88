// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import { RUN_CALL_REASONS } from '#crds/v1alpha1/run-calls';
import type { Agent } from '../agent/agent.ts';
import { findCondition, READY } from '../conditions.ts';
import { defined, type KubeObject } from '../object.ts';
import { statusOnly } from '../plan.ts';
import { admit } from './admission.ts';
import { hasWaited, isGated, wordsDueMs, wordsOfKueue } from './capacity.ts';
import { cancellation, finish, requeue } from './ending.ts';
import { admittedMs, holdUpOf } from './hold-up.ts';
import type { RunObserved, RunPlan } from './observed.ts';
import {
  assessPod,
  deadlineMs,
  type Failure,
  isPodFinished,
  type Lasting,
  type Outcome,
  POD_DELETED,
  startOf,
  TIMED_OUT,
} from './outcome.ts';
import { podRemoval, timeoutSeconds } from './pod.ts';
import { reportOf } from './pod-use.ts';
import { cutNote } from './report-limit.ts';
import { isCutShort } from './gang-view.ts';
import { asOutput, type Said } from './result.ts';
import { endingCause, givenUpFor } from './interruption.ts';
import { lookingMs } from './no-devices.ts';
import { calledOff } from './parent.ts';
import { countPreemption } from './preemption.ts';
import { reservedCall } from './calls.ts';
import { planQuestion } from './question.ts';
import { failAttempt } from './retry.ts';
import { attemptsOf, isWaitingForCapacity, isWorkloadOf, phaseOf, type Run } from './run.ts';
import { settle, settleUnmade } from './settlement.ts';
import { notStarted, sooner, startingDeadlineMs } from './starting-deadline.ts';
import { activeStatus, capacityStatus, type Cause, queuedStatus } from './status.ts';

/** What passes by itself within this time is not worth a write. */
const NOTEWORTHY_MS = 2000;

/** What becomes of a Run that is admitted, or runs. */
export function planActive(run: Run, observed: RunObserved, now: Date): RunPlan {
  const { pod } = observed;
  if (pod === undefined || !isWorkloadOf(pod, run)) return planWithoutPod(run, observed, now);
  const ending = endingOf(run, observed, now);
  if (ending === undefined) return followPod(run, { ...observed, pod }, now);
  if (!isPodFinished(pod)) {
    return { ...statusOnly(told(run, { ...ending, pod }, now)), remove: [podRemoval(pod)] };
  }
  return isCutShort(pod) ? planEnded(run, { ending, pod }, now) : followPod(run, { ...observed, pod }, now);
}

/** Why the workload of a Run is to be ended. What the Run itself is ended for goes before what becomes of its parent. */
export function endingOf(run: Run, observed: RunObserved, now: Date): Cause | undefined {
  const own = endingCause(run, observed, now);
  if (givenUpFor(run) !== undefined || cancellation(run) !== undefined) return own;
  return calledOff(run, observed) ?? own;
}

/** No pod: not made yet, or gone though its finalizer was to keep it. */
function planWithoutPod(run: Run, observed: RunObserved, now: Date): RunPlan {
  const ending = endingOf(run, observed, now);
  if (ending === undefined && run.status?.child?.uid === undefined) {
    if (isOverdue(run, observed.agent, now)) return failAttempt(settleUnmade(run, now), notMade(run), now);
    return admit(run, { ...observed, reservation: reservationOf(run) }, now);
  }
  return planEnded(run, { ending, pod: undefined }, now);
}

interface Ended {
  readonly ending: Cause | undefined;
  readonly pod: KubeObject | undefined;
}

/** Nothing of the workload runs any more: its attempt is settled, and what it was ended for is done. */
function planEnded(before: Run, { ending, pod }: Ended, now: Date): RunPlan {
  return afterEnd(settle(before, { pod, until: now }, now), { ending, ...startOf(pod) }, now);
}

/** Of an attempt that is over and settled: what it was ended for, when it started, and what its container said, if that counts. */
export interface Over {
  readonly ending: Cause | undefined;
  readonly startedAt?: string;
  readonly said?: Said;
}

/** What becomes of a Run whose attempt was ended, or is gone. */
export function afterEnd(run: Run, { ending, ...facts }: Over, now: Date): RunPlan {
  const givenUp = givenUpFor(run);
  if (givenUp !== undefined) return failAttempt(run, { ...givenUp, ...facts }, now);
  const unwanted = cancellation(run);
  if (unwanted !== undefined) return finish(run, { ...unwanted, ...facts }, now);
  if (ending === undefined) return failAttempt(run, POD_DELETED, now);
  if (ending.reason === RUN_CALL_REASONS.ParentEnded) {
    return finish(run, { phase: 'Cancelled', ...ending, ...facts }, now);
  }
  const status = queuedStatus(run, { position: undefined, ...ending }, now);
  return ending.reason === RUN_REASONS.Preempted ? countPreemption(run, status, ending) : statusOnly(status);
}

/** Whether the timeout of an admitted Run is over before its workload could be made. */
function isOverdue(run: Run, agent: Agent | undefined, now: Date): boolean {
  if (agent === undefined) return false;
  return now.getTime() - admittedMs(run) > timeoutSeconds(run, agent) * 1000;
}

/** How a Run fails whose workload could not be made in all its time. */
function notMade(run: Run): Failure {
  const held = holdUpOf(run);
  if (held === undefined) return TIMED_OUT;
  const message = `its workload could not be made before its timeout: ${held.message}`;
  return { ...TIMED_OUT, error: { ...TIMED_OUT.error, message } };
}

/**
 * The reservation that an admitted Run was admitted by, as its status tells: the ledger that is at hand may be older, and hold
 * none, or that of an attempt that is over.
 */
export function reservationOf(run: Run): Reservation {
  const { name, namespace = '', uid = '' } = run.metadata;
  const { gpu, gang, usage } = run.status ?? {};
  const serial = usage?.open?.reservation;
  const devices = gpu === undefined ? {} : { gpuClass: gpu.class, gpus: gpu.count };
  return {
    uid,
    namespace,
    name,
    agent: run.spec.agentRef.name,
    attempt: attemptsOf(run),
    ...devices,
    ...reservedCall(run),
    ...defined({ serial, pods: gang?.pods }),
  };
}

type Followed = RunObserved & { readonly pod: KubeObject };

function followPod(run: Run, observed: Followed, now: Date): RunPlan {
  const { pod, unmounted, missing, asking } = observed;
  const outcome = assessPod(pod, { unmounted, now });
  if (outcome.kind === 'succeeded' || outcome.kind === 'failed') {
    return planOutcome(settle(run, { pod, until: now }, now), { outcome, pod, asking }, now);
  }
  if (isGated(pod)) return planGated(run, observed, now);
  // What it may take counts from when it was admitted, which is written first.
  const since = hasWaited(pod) ? run.status?.admittedAt : undefined;
  const leftMs = isWaitingForCapacity(run) ? Infinity : deadlineMs(pod, { since, now });
  if (leftMs <= 0) return endFor(run, { failure: TIMED_OUT, pod }, now);
  const plan =
    outcome.kind === 'running'
      ? statusOnly(told(run, { ...RUNNING, ...startOf(pod), pod }, now))
      : starting(run, { ...outcome, pod }, now);
  return sooner(plan, Math.min(leftMs, lookingMs(missing, now)));
}

/** What becomes of a Run whose pod waits for Kueue: its own deadline for starting is the only one that runs. */
function planGated(run: Run, { pod, place, capacity }: Followed, now: Date): RunPlan {
  const leftMs = startingDeadlineMs(run, now);
  if (leftMs <= 0) return endFor(run, { failure: notStarted(run, place), pod }, now);
  const words = wordsOfKueue(pod, capacity?.workload);
  const dueMs = wordsDueMs(run, { words, madeAt: pod.metadata.creationTimestamp }, now);
  if (dueMs === undefined) return sooner(statusOnly(run.status), leftMs);
  const tell = { words, childUid: pod.metadata.uid ?? '' };
  const plan =
    dueMs > 0
      ? statusOnly(run.status, requeue(dueMs, 'to tell what Kueue says'))
      : statusOnly(capacityStatus(run, tell, now));
  return sooner(plan, leftMs);
}

/** What becomes of a Run whose attempt has come to its end, and is settled. */
function planOutcome(
  run: Run,
  { outcome, pod, asking }: Pick<Followed, 'pod' | 'asking'> & { readonly outcome: AttemptOutcome },
  now: Date,
): RunPlan {
  const note = cutNote(reportOf(pod), run.status?.usage?.attempts?.at(-1)?.pods ?? []);
  if (outcome.kind === 'failed') {
    const { error } = outcome;
    return failAttempt(run, { ...outcome, error: { ...error, message: error.message + note } }, now);
  }
  const { asks } = outcome.said ?? {};
  if (asks !== undefined) return planQuestion(run, { asks, policy: asking?.questions, ...startOf(pod) }, now);
  const message = SUCCEEDED.message + note;
  return finish(run, { ...SUCCEEDED, message, ...startOf(pod), said: asOutput(outcome.said) }, now);
}

type AttemptOutcome = Extract<Outcome, { readonly kind: 'succeeded' | 'failed' }>;

/** What keeps the container of a pod from starting. */
export type Starting = Cause & {
  readonly since?: string;
  readonly lasting?: Lasting;
  /** Undefined while not all pods of a Run of many are made. */
  readonly pod: KubeObject | undefined;
};

/** What becomes of a Run whose container does not run yet. */
export function starting(run: Run, { since, lasting, ...seen }: Starting, now: Date): RunPlan {
  const cause = { phase: 'Admitted', ...seen } as const;
  if (since !== undefined && isWaitingForCapacity(run))
    return statusOnly(told(run, { ...cause, ...LET_IN }, now), requeue(NOTEWORTHY_MS, 'to see it start'));
  if (since === undefined) {
    // That pods take a moment is nothing to tell of; that nothing is refused any more is, and that Kueue has admitted it.
    const isOver = holdUpOf(run) !== undefined || isWaitingForCapacity(run);
    return statusOnly(isOver ? told(run, cause, now) : run.status);
  }
  const waited = since === '' ? NOTEWORTHY_MS : now.getTime() - Date.parse(since);
  if (waited < NOTEWORTHY_MS)
    return statusOnly(run.status, requeue(NOTEWORTHY_MS - waited, 'to tell why it waits'));
  const status = told(run, cause, now);
  if (lasting === undefined) return statusOnly(status);
  const leftMs = lasting.sinceMs + lasting.forMs - now.getTime();
  if (leftMs > 0) return statusOnly(status, requeue(leftMs, 'to give up what cannot start'));
  const { reason, error, forMs } = lasting;
  const message = `given up after ${forMs / 1000} seconds: ${error.message}`;
  return endFor(run, { failure: { reason, error: { ...error, message } }, pod: seen.pod }, now);
}

/** Ends the workload of a Run for what it will have failed with, and writes that: it fails when nothing of the workload is left. */
function endFor(
  run: Run,
  { failure, pod }: { readonly failure: Failure; readonly pod: KubeObject | undefined },
  now: Date,
): RunPlan {
  const { reason, error } = failure;
  const ending = { reason, message: error.message, error, phase: activePhase(run), ...startOf(pod) } as const;
  const status = activeStatus(run, { ...ending, ...seenAs(pod) }, now);
  return { ...statusOnly(status), remove: pod === undefined ? [] : [podRemoval(pod)] };
}

/** What is to be told of an attempt that is under way. */
export type Told = Cause & {
  readonly phase?: 'Queued' | 'Admitted' | 'Running';
  readonly startedAt?: string;
  /** As of `Starting`. */
  readonly pod: KubeObject | undefined;
};

/** The status that tells a cause, or the present one when it tells the same. */
export function told(run: Run, cause: Told, now: Date): RunStatus | undefined {
  const { pod, ...active } = cause;
  const phase = cause.phase ?? activePhase(run);
  if (activePhase(run) === phase && isTold(run, cause)) return run.status;
  return activeStatus(run, { ...active, phase, ...seenAs(pod) }, now);
}

function seenAs(pod: KubeObject | undefined): { readonly childUid?: string } {
  return pod === undefined ? {} : { childUid: pod.metadata.uid ?? '' };
}

/** The phase of a Run that was admitted; one that Kueue has yet to admit says Queued. */
export function activePhase(run: Run): 'Queued' | 'Admitted' | 'Running' {
  if (isWaitingForCapacity(run)) return 'Queued';
  return phaseOf(run) === 'Running' ? 'Running' : 'Admitted';
}

function isTold({ status }: Run, { reason, message }: Cause): boolean {
  const ready = findCondition(status?.conditions ?? [], READY);
  if (status?.child?.uid === undefined || ready?.reason !== reason) return false;
  return headOf(ready.message) === headOf(message);
}

/** What a message says before it quotes others, whose words change all the time. */
function headOf(message: string): string {
  return message.split(':', 1)[0] ?? '';
}

/** How a Run ends well. */
export const SUCCEEDED = {
  phase: 'Succeeded',
  reason: RUN_REASONS.Succeeded,
  message: 'its container ended well',
} as const;

const LET_IN = {
  reason: RUN_REASONS.Starting,
  message: 'Kueue has admitted its pod, which is starting',
} as const;

const RUNNING = { phase: 'Running', reason: RUN_REASONS.Running, message: 'its container runs' } as const;
