// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import type { Agent, GPUClass } from '../agent/agent.ts';
import { findCondition, READY } from '../conditions.ts';
import type { ReconcileError } from '../errors.ts';
import type { KubeObject } from '../object.ts';
import { DONE, type Plan, type Removal, type Result, statusOnly } from '../plan.ts';
import type { Tenant } from '../tenant/tenant.ts';
import { desiredWorkload } from './job.ts';
import { assessWorkload, isJobFinished, type RunError } from './outcome.ts';
import { isWorthWriting, nextLookMs } from './queue-place.ts';
import { attemptsOf, childName, identityOf, isFinished, phaseOf, type Run } from './run.ts';
import {
  activeStatus,
  admittedStatus,
  type Cause,
  type Ending,
  finishedStatus,
  queuedStatus,
} from './status.ts';

/** Where a Run is in the queue of its tenant. */
export type Place =
  /** It fits: the ledger is about to reserve for it, or the queue has not seen it yet. */
  | { readonly kind: 'next' }
  | ({ readonly kind: 'waiting'; readonly position: number; readonly isFull: boolean } & Cause)
  /** The namespace belongs to no tenant. */
  | { readonly kind: 'none' };

/** What was seen of a Run and of what it depends on. */
export interface RunObserved {
  readonly tenant: Tenant | undefined;
  readonly place: Place;
  /** Its reservation in the ledger. */
  readonly reservation: Reservation | undefined;
  /** Undefined only when a direct read found none. */
  readonly agent: Agent | undefined;
  /** The class that the reservation names; undefined only when a direct read found none. */
  readonly gpuClass: GPUClass | undefined;
  /** Workload of the present attempt; undefined only when a direct read found none. */
  readonly job: KubeObject | undefined;
  readonly pods: readonly KubeObject[];
  /** Why Kubernetes could not make its pod lately. */
  readonly refusal: string | undefined;
}

/** Status may be undefined: nothing is written then. */
export type RunPlan = Plan<RunStatus | undefined>;

/** A new Run that is about to be admitted is not written as Queued first; but its user waits no longer than this. */
const PATIENCE_MS = 2000;
/** What passes by itself within this time is not worth a write. */
const NOTEWORTHY_MS = 2000;

/** Decides what becomes of a Run. Queued → Admitted → Running → Succeeded, Failed or Cancelled. */
export function planRun(run: Run, observed: RunObserved, now: Date): RunPlan {
  if (isFinished(run)) return planFinished(run, observed, now);
  return phaseOf(run) === 'Queued' ? planQueued(run, observed, now) : planActive(run, observed, now);
}

function planQueued(run: Run, observed: RunObserved, now: Date): RunPlan {
  if (run.spec.cancel) return finish(run, CANCELLED, now);
  const { reservation, place } = observed;
  if (reservation !== undefined && reservation.attempt > attemptsOf(run)) {
    return admit(run, { ...observed, reservation }, now);
  }
  if (place.kind === 'none') {
    const message = 'the namespace belongs to no tenant, or its tenant is not ready';
    return wait(run, { position: undefined, reason: RUN_REASONS.TenantNotFound, message }, now);
  }
  if (place.kind === 'next') return waitForReservation(run, now);
  if (place.isFull && run.status?.phase === undefined) {
    const message = `the queue of the tenant is full (quotas.runs.maxQueued): ${place.message}`;
    return fail(
      run,
      { reason: RUN_REASONS.QueueFull, code: 'quota_exceeded', message, retryable: true },
      now,
    );
  }
  return wait(run, place, now);
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

function wait(run: Run, place: Parameters<typeof queuedStatus>[1], now: Date): RunPlan {
  const result = requeue(nextLookMs(run, place, now), 'to look at its place in the queue again');
  if (!isWorthWriting(run, place, now)) return statusOnly(run.status, result);
  return statusOnly(queuedStatus(run, place, now), result);
}

type Reserved = RunObserved & { readonly reservation: Reservation };

/**
 * Writes that the Run is admitted, then makes its workload. Also when that was written and nothing was made, as after
 * a crash: it is written again, so that a stale view of the Run fails before it makes anything.
 */
function admit(run: Run, observed: Reserved, now: Date): RunPlan {
  const { reservation, agent, tenant, gpuClass } = observed;
  const { attempt, gpuClass: className, gpus: count = 0 } = reservation;
  const missing = missingForStart(observed);
  if (agent === undefined || tenant === undefined || missing !== undefined) {
    const message = `${missing} was deleted before the Run could start`;
    return fail(
      run,
      { reason: RUN_REASONS.AgentNotFound, code: 'not_found', message, retryable: false },
      now,
    );
  }
  const { uid = '', generation = 0 } = agent.metadata;
  const facts = {
    attempt,
    childName: childName(identityOf(run), attempt),
    agent: { uid, generation },
    ...(className !== undefined && { gpu: { class: className, count } }),
  };
  const gpu = gpuClass === undefined ? {} : { gpu: { class: gpuClass, count } };
  const create = desiredWorkload({ run, agent, tenant, attempt, ...gpu });
  return { ...statusOnly(admittedStatus(run, facts, now)), create };
}

/** The API server will not have the workload of a Run: no wait would help, and its place is for others. */
export function planRefused(run: Run, { code, message }: ReconcileError, now: Date): RunPlan {
  const told = `the API server refuses its workload: ${message}`.slice(0, 4096);
  return fail(run, { reason: RUN_REASONS.WorkloadRefused, code, message: told, retryable: false }, now);
}

function missingForStart({ reservation, agent, tenant, gpuClass }: Reserved): string | undefined {
  if (tenant === undefined) return 'the tenant';
  if (agent === undefined) return `Agent ${reservation.agent}`;
  if (reservation.gpuClass !== undefined && gpuClass === undefined)
    return `GPU class ${reservation.gpuClass}`;
  return undefined;
}

function planActive(run: Run, observed: RunObserved, now: Date): RunPlan {
  const { job } = observed;
  const childUid = run.status?.child?.uid;
  if (job === undefined) return planWithoutJob(run, observed, now);
  if (!isOwnedBy(job, run) || (childUid !== undefined && childUid !== job.metadata.uid)) {
    const message = `Job ${job.metadata.name} was replaced by somebody else's`;
    return fail(
      run,
      { reason: RUN_REASONS.WorkloadDeleted, code: 'conflict', message, retryable: true },
      now,
    );
  }
  const ending = endingCause(run, observed);
  if (ending !== undefined && (job.metadata.deletionTimestamp !== undefined || !isJobFinished(job))) {
    return { ...statusOnly(told(run, { ...ending, job }, now)), remove: [removalOf(job)] };
  }
  return followJob(run, { ...observed, job }, now);
}

/** No Job: not made yet, gone because we wanted it so, or deleted by somebody else. */
function planWithoutJob(run: Run, observed: RunObserved, now: Date): RunPlan {
  const ending = endingCause(run, observed);
  if (ending === undefined && run.status?.child?.uid === undefined) {
    return admit(run, { ...observed, reservation: observed.reservation ?? reservationOf(run) }, now);
  }
  // Its pods hold what was reserved until the last of them is gone.
  if (observed.pods.length > 0) return statusOnly(run.status);
  if (run.spec.cancel) return finish(run, CANCELLED, now);
  if (ending !== undefined) return statusOnly(queuedStatus(run, { position: undefined, ...ending }, now));
  const message = 'its Job was deleted by somebody else';
  return fail(run, { reason: RUN_REASONS.WorkloadDeleted, code: 'conflict', message, retryable: true }, now);
}

/** The reservation that an admitted Run was admitted by; the ledger that is at hand may be older than the Run. */
function reservationOf(run: Run): Reservation {
  const { name, namespace = '', uid = '' } = run.metadata;
  const { gpu } = run.status ?? {};
  const devices = gpu === undefined ? {} : { gpuClass: gpu.class, gpus: gpu.count };
  return { uid, namespace, name, agent: run.spec.agentRef.name, attempt: attemptsOf(run), ...devices };
}

function followJob(run: Run, observed: RunObserved & { readonly job: KubeObject }, now: Date): RunPlan {
  const { job, pods, refusal } = observed;
  const outcome = assessWorkload(job, pods, { refusal, now });
  switch (outcome.kind) {
    case 'succeeded':
      return finish(run, { ...SUCCEEDED, ...startOf(outcome) }, now);
    case 'failed': {
      const { reason, error } = outcome;
      return finish(
        run,
        { phase: 'Failed', reason, message: error.message, error, ...startOf(outcome) },
        now,
      );
    }
    case 'running':
      return statusOnly(told(run, { ...RUNNING, ...startOf(outcome), job }, now));
    case 'starting':
      return starting(run, { ...outcome, job }, now);
    default:
      return statusOnly(run.status, requeue(1000, 'for the end of its pod to be seen'));
  }
}

type Starting = Cause & { readonly since?: string; readonly job: KubeObject };

function starting(run: Run, { reason, message, since, job }: Starting, now: Date): RunPlan {
  // That pods take a moment is nothing to tell of.
  if (since === undefined) return statusOnly(run.status);
  const waited = since === '' ? NOTEWORTHY_MS : now.getTime() - Date.parse(since);
  if (waited < NOTEWORTHY_MS)
    return statusOnly(run.status, requeue(NOTEWORTHY_MS - waited, 'to tell why it waits'));
  return statusOnly(told(run, { phase: 'Admitted', reason, message, job }, now));
}

type Told = Cause & {
  readonly phase?: 'Admitted' | 'Running';
  readonly startedAt?: string;
  readonly job: KubeObject;
};

/** The status that tells a cause, or the present one when it tells the same: figures in a message are not news. */
function told(run: Run, cause: Told, now: Date): RunStatus | undefined {
  const { job, ...active } = cause;
  const phase = cause.phase ?? (phaseOf(run) === 'Running' ? 'Running' : 'Admitted');
  if (phaseOf(run) === phase && isTold(run, cause)) return run.status;
  return activeStatus(run, { ...active, phase, childUid: job.metadata.uid ?? '' }, now);
}

function isTold({ status }: Run, { reason }: Cause): boolean {
  return status?.child?.uid !== undefined && findCondition(status.conditions ?? [], READY)?.reason === reason;
}

/** Why the workload is to be ended, if so. */
function endingCause(run: Run, { tenant }: RunObserved): Cause | undefined {
  if (run.spec.cancel) return { reason: RUN_REASONS.Cancelling, message: 'its workload is being ended' };
  if (tenant?.spec.suspended === true && tenant.spec.suspendPolicy === 'Pause') {
    const message = 'paused while the tenant is suspended; it goes back to the queue and spends no retry';
    return { reason: RUN_REASONS.Paused, message };
  }
  return undefined;
}

function planFinished(run: Run, { job }: RunObserved, now: Date): RunPlan {
  // A workload that a former leader made too late must not outlive the end of its Run.
  const isLeftover = job !== undefined && isOwnedBy(job, run) && !isJobFinished(job);
  const remove: Removal[] = isLeftover ? [removalOf(job)] : [];
  const { ttlSecondsAfterFinished } = run.spec;
  if (ttlSecondsAfterFinished === undefined) return { ...statusOnly(run.status), remove };
  const leftMs = Date.parse(run.status?.finishedAt ?? '') + ttlSecondsAfterFinished * 1000 - now.getTime();
  if (leftMs > 0)
    return { ...statusOnly(run.status, requeue(leftMs, 'to delete it after its time')), remove };
  return { ...statusOnly(run.status), remove: [...remove, { ...removalOf(run), propagation: 'Background' }] };
}

const CANCELLED: Ending = {
  phase: 'Cancelled',
  reason: RUN_REASONS.Cancelled,
  message: 'cancelled by spec.cancel',
};
const SUCCEEDED = {
  phase: 'Succeeded',
  reason: RUN_REASONS.Succeeded,
  message: 'its container ended well',
} as const;

const RUNNING = { phase: 'Running', reason: RUN_REASONS.Running, message: 'its container runs' } as const;

function fail(run: Run, { reason, ...error }: RunError & { readonly reason: string }, now: Date): RunPlan {
  return finish(run, { phase: 'Failed', reason, message: error.message, error }, now);
}

function finish(run: Run, ending: Ending, now: Date): RunPlan {
  const { ttlSecondsAfterFinished } = run.spec;
  const status = finishedStatus(run, ending, now);
  if (ttlSecondsAfterFinished === undefined) return statusOnly(status);
  return statusOnly(status, requeue(ttlSecondsAfterFinished * 1000, 'to delete it after its time'));
}

function startOf({ startedAt }: { readonly startedAt?: string | undefined }) {
  return startedAt === undefined ? {} : { startedAt };
}

function removalOf(object: KubeObject): Removal {
  const { apiVersion, kind, metadata } = object;
  const { name, namespace = '', uid = '' } = metadata;
  return { ref: { apiVersion, kind, name, namespace, uid }, propagation: 'Foreground' };
}

function isOwnedBy(object: KubeObject, run: Run): boolean {
  return (
    object.metadata.ownerReferences?.some((one) => one.controller && one.uid === run.metadata.uid) === true
  );
}

function requeue(afterMs: number, why: string): Result {
  return afterMs > 0 ? { kind: 'requeueAfter', afterMs, why } : DONE;
}
