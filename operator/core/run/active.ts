// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import type { Agent } from '../agent/agent.ts';
import { findCondition, READY } from '../conditions.ts';
import { defined, type KubeObject } from '../object.ts';
import { removalOf, statusOnly } from '../plan.ts';
import { admit } from './admission.ts';
import { cancellation, finish, requeue, startOf } from './ending.ts';
import { admittedMs, holdUpOf } from './hold-up.ts';
import { timeoutSeconds } from './job.ts';
import type { RunObserved, RunPlan } from './observed.ts';
import {
  assessWorkload,
  type Failure,
  isJobFinished,
  isPodFinished,
  jobEndedAt,
  type Lasting,
  type Outcome,
  TIMED_OUT,
} from './outcome.ts';
import { reportsOf } from './pod-use.ts';
import { cutNote } from './report-limit.ts';
import type { Said } from './result.ts';
import { endingCause, givenUpFor } from './interruption.ts';
import { lookingMs } from './no-devices.ts';
import { countPreemption } from './preemption.ts';
import { failAttempt } from './retry.ts';
import { attemptsOf, isPodOf, isWorkloadOf, phaseOf, type Run } from './run.ts';
import { notePods, settle, settleUnmade } from './settlement.ts';
import { sooner } from './starting-deadline.ts';
import { activeStatus, type Cause, queuedStatus } from './status.ts';

/** What passes by itself within this time is not worth a write. */
const NOTEWORTHY_MS = 2000;

/** What becomes of a Run that is admitted, or runs. */
export function planActive(run: Run, observed: RunObserved, now: Date): RunPlan {
  const { job } = observed;
  if (job === undefined || !isWorkloadOf(job, run)) return planWithoutJob(run, observed, now);
  const ending = endingCause(run, observed, now);
  if (ending !== undefined && (job.metadata.deletionTimestamp !== undefined || !isJobFinished(job))) {
    const { pods } = observed;
    return { ...statusOnly(told(run, { ...ending, job, pods }, now)), remove: [removalOf(job)] };
  }
  return sooner(followJob(run, { ...observed, job }, now), lookingMs(observed.missing, now));
}

/** No Job: not made yet, gone because we wanted it so, or deleted by somebody else. */
function planWithoutJob(run: Run, observed: RunObserved, now: Date): RunPlan {
  const ending = endingCause(run, observed, now);
  if (ending === undefined && run.status?.child?.uid === undefined) {
    if (isOverdue(run, observed.agent, now)) return failAttempt(settleUnmade(run, now), notMade(run), now);
    return admit(run, { ...observed, reservation: reservationOf(run) }, now);
  }
  // Its pods hold what was reserved until the last of them has ended.
  const isHeld = observed.pods.some((pod) => !isPodFinished(pod));
  if (isHeld) return statusOnly(run.status);
  return planEnded(settle(run, { pods: observed.pods, until: now }, now), ending, now);
}

/** Nothing of the workload is left, and its attempt is settled. */
function planEnded(run: Run, ending: Cause | undefined, now: Date): RunPlan {
  const givenUp = givenUpFor(run);
  if (givenUp !== undefined) return failAttempt(run, givenUp, now);
  const unwanted = cancellation(run);
  if (unwanted !== undefined) return finish(run, unwanted, now);
  if (ending === undefined) return failAttempt(run, WORKLOAD_DELETED, now);
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
function reservationOf(run: Run): Reservation {
  const { name, namespace = '', uid = '' } = run.metadata;
  const { gpu, usage } = run.status ?? {};
  const serial = usage?.open?.reservation;
  const devices = gpu === undefined ? {} : { gpuClass: gpu.class, gpus: gpu.count };
  return {
    uid,
    namespace,
    name,
    agent: run.spec.agentRef.name,
    attempt: attemptsOf(run),
    ...devices,
    ...defined({ serial }),
  };
}

function followJob(run: Run, observed: RunObserved & { readonly job: KubeObject }, now: Date): RunPlan {
  const { job } = observed;
  // Pods of earlier attempts may still be there, and what they said is told already.
  const pods = observed.pods.filter((pod) => isPodOf(pod, run));
  const outcome = assessWorkload({ ...observed, pods }, now);
  switch (outcome.kind) {
    case 'succeeded':
    case 'failed':
      return planOutcome(settle(run, { pods, until: jobEndedAt(job) ?? now }, now), { outcome, pods }, now);
    case 'running':
      return statusOnly(told(run, { ...RUNNING, ...startOf(outcome), job, pods }, now));
    case 'starting':
      return starting(run, { ...outcome, job, pods }, now);
    default:
      return statusOnly(run.status, requeue(1000, 'for the end of its pod to be seen'));
  }
}

/** What becomes of a Run whose attempt has come to its end, and is settled. */
function planOutcome(
  run: Run,
  { outcome, pods }: { readonly outcome: AttemptOutcome; readonly pods: readonly KubeObject[] },
  now: Date,
): RunPlan {
  const note = cutNote(reportsOf(pods), run.status?.usage?.attempts?.at(-1)?.pods ?? []);
  if (outcome.kind === 'failed') {
    const { error } = outcome;
    return failAttempt(run, { ...outcome, error: { ...error, message: error.message + note } }, now);
  }
  const message = SUCCEEDED.message + note;
  return finish(run, { ...SUCCEEDED, message, ...startOf(outcome), said: asOutput(outcome.said) }, now);
}

type AttemptOutcome = Extract<Outcome, { readonly kind: 'succeeded' | 'failed' }>;

type Starting = Cause & {
  readonly since?: string;
  readonly lasting?: Lasting;
} & Workload;

/** What is there of the present attempt. */
interface Workload {
  readonly job: KubeObject;
  readonly pods: readonly KubeObject[];
}

function starting(run: Run, { since, lasting, ...seen }: Starting, now: Date): RunPlan {
  const cause = { phase: 'Admitted', ...seen } as const;
  if (since === undefined) {
    // That pods take a moment is nothing to tell of; that nothing is refused any more is.
    const isOver = holdUpOf(run) !== undefined;
    return statusOnly(isOver ? told(run, cause, now) : run.status);
  }
  const waited = since === '' ? NOTEWORTHY_MS : now.getTime() - Date.parse(since);
  if (waited < NOTEWORTHY_MS)
    return statusOnly(run.status, requeue(NOTEWORTHY_MS - waited, 'to tell why it waits'));
  const status = told(run, cause, now);
  if (lasting === undefined) return statusOnly(status);
  const leftMs = lasting.sinceMs + lasting.forMs - now.getTime();
  if (leftMs > 0) return statusOnly(status, requeue(leftMs, 'to give up what cannot start'));
  return giveUp(run, { lasting, job: seen.job }, now);
}

/** Ends the workload of a Run that cannot start, and writes why: it fails when nothing of the workload is left. */
function giveUp(
  run: Run,
  { lasting, job }: { readonly lasting: Lasting; readonly job: KubeObject },
  now: Date,
): RunPlan {
  const { reason, error, forMs } = lasting;
  const message = `given up after ${forMs / 1000} seconds: ${error.message}`;
  const childUid = job.metadata.uid ?? '';
  const ending = { reason, message, error: { ...error, message }, phase: 'Admitted', childUid } as const;
  return { ...statusOnly(activeStatus(run, ending, now)), remove: [removalOf(job)] };
}

type Told = Cause & {
  readonly phase?: 'Admitted' | 'Running';
  readonly startedAt?: string;
} & Workload;

/** The status that tells a cause, or the present one when it tells the same. */
function told(run: Run, cause: Told, now: Date): RunStatus | undefined {
  const { job, pods, ...active } = cause;
  const phase = cause.phase ?? (phaseOf(run) === 'Running' ? 'Running' : 'Admitted');
  if (phaseOf(run) === phase && isTold(run, cause)) return run.status;
  return activeStatus(notePods(run, pods, now), { ...active, phase, childUid: job.metadata.uid ?? '' }, now);
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

/** What succeeded and said nothing of our form has said its output. */
function asOutput({ text, ...said }: Said = {}): Said {
  return text === undefined ? said : { result: { output: text } };
}

const SUCCEEDED = {
  phase: 'Succeeded',
  reason: RUN_REASONS.Succeeded,
  message: 'its container ended well',
} as const;

const RUNNING = { phase: 'Running', reason: RUN_REASONS.Running, message: 'its container runs' } as const;

const WORKLOAD_DELETED: Failure = {
  reason: RUN_REASONS.WorkloadDeleted,
  error: {
    code: 'conflict',
    message: 'its Job was deleted, or replaced, by somebody else',
    retryable: true,
  },
};
