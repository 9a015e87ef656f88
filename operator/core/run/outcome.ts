// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import type { KubeObject } from '../object.ts';
import { CONTAINER_NAME } from './job.ts';
import type { Refusal } from './refusal.ts';
import { printable, readSaid, type Said } from './result.ts';
import { isStillUnmounted, type Unmounted } from './unmounted.ts';

/** Why a Run failed. */
export type RunError = NonNullable<RunStatus['error']>;

/** How a Run fails. */
export interface Failure {
  readonly reason: string;
  readonly error: RunError;
}

/** What does not pass by itself: the Run fails with it when it has lasted for so long. */
export interface Lasting extends Failure {
  readonly sinceMs: number;
  readonly forMs: number;
}

/** How the workload of a Run stands. */
export type Outcome =
  | { readonly kind: 'succeeded'; readonly startedAt?: string; readonly said?: Said }
  | ({ readonly kind: 'failed'; readonly startedAt?: string; readonly said?: Said } & Failure)
  | { readonly kind: 'running'; readonly startedAt?: string }
  /** No container runs. `since`: since when this is so, as far as it is worth telling. */
  | ({ readonly kind: 'starting' } & Obstacle)
  /** The Job has ended; what its pod has to say is not seen yet. */
  | { readonly kind: 'settling' };

interface Obstacle {
  readonly reason: string;
  readonly message: string;
  readonly since?: string;
  readonly lasting?: Lasting;
}

interface JobCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

interface Terminated {
  readonly exitCode: number;
  readonly reason?: string;
  readonly message?: string;
  readonly startedAt?: string | null;
  readonly finishedAt?: string | null;
}

interface ContainerStatus {
  readonly name: string;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly running?: { readonly startedAt?: string };
    readonly terminated?: Terminated;
  };
}

interface PodStatus {
  readonly phase?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly conditions?: readonly JobCondition[];
  readonly containerStatuses?: readonly ContainerStatus[];
}

const OUT_OF_MEMORY = 'OOMKilled';
/** How every container begins. */
const USUAL_WAITS: ReadonlySet<string> = new Set(['', 'ContainerCreating', 'PodInitializing']);
/** The pod is replaced by its Job when this is true of it: it was not its own doing that it ended. */
const DISRUPTED = 'DisruptionTarget';
/** After this long a Job that ended is believed without its pod. */
const SETTLE_MS = 5000;
/** What is refused is refused for good after this long; the Job has tried some six times by then. */
const REFUSED_MS = 60_000;
/** What cannot start for reasons that may pass (a registry or webhook that is away) holds its place no longer. */
const STUCK_MS = 600_000;
/** Refusals that are none of the pod's fault. */
const PASSING = /failed calling webhook|internal error|timed out|timeout|connection refused/i;

/** Whether a Job has ended, for good or ill. Kubernetes says so only after all its pods have. */
export function isJobFinished(job: KubeObject): boolean {
  return jobEnd(job) !== undefined;
}

/** Whether a pod has ended and counts against quota no more. */
export function isPodFinished(pod: KubeObject): boolean {
  const { phase } = podStatus(pod);
  return phase === 'Succeeded' || phase === 'Failed';
}

/** What was seen of the workload of a Run: its Job, the pods of it, and why no pod could be made, or begin, if so. */
export interface Workload {
  readonly job: KubeObject;
  readonly pods: readonly KubeObject[];
  readonly refusal: Refusal | undefined;
  readonly unmounted?: Unmounted | undefined;
}

/** How the workload of a Run stands. */
export function assessWorkload(workload: Workload, now: Date): Outcome {
  const { job, pods, unmounted } = workload;
  const pod = newest(pods);
  const started = startOf(pod);
  const end = jobEnd(job);
  if (end !== undefined) {
    if (isSettling(end, pod, now)) return { kind: 'settling' };
    const said = readSaid(stateOf(pod).terminated?.message);
    if (end.type === 'Complete') return { kind: 'succeeded', ...started, said };
    return { kind: 'failed', ...withSaid(failureOf(end, pod), said), ...started, said };
  }
  const isRunning = stateOf(pod).running !== undefined && pod?.metadata.deletionTimestamp === undefined;
  if (isRunning) return { kind: 'running', ...started };
  const missing = unmounted !== undefined && isStillUnmounted(unmounted, now) ? unmounted : undefined;
  return { kind: 'starting', ...obstacleOf(pod, { ...workload, unmounted: missing }) };
}

/** Two watches run at different speeds: the Job may be seen to have ended before its pod is, and what that has to say. */
function isSettling(end: JobCondition, pod: KubeObject | undefined, now: Date): boolean {
  // Those of a Job over its deadline are deleted.
  if (pod === undefined ? isOverdue(end) : isPodFinished(pod)) return false;
  return now.getTime() - Date.parse(end.lastTransitionTime ?? '') < SETTLE_MS;
}

function isOverdue({ reason }: JobCondition): boolean {
  return reason === 'DeadlineExceeded';
}

function startOf(pod: KubeObject | undefined): { readonly startedAt?: string } {
  const { running, terminated } = stateOf(pod);
  const startedAt = known(running?.startedAt) ?? known(terminated?.startedAt);
  return startedAt === undefined ? {} : { startedAt };
}

/** An instant of the status of a container: what a kubelet does not know it writes as null. */
export function known(instant: string | null | undefined): string | undefined {
  return instant ?? undefined;
}

/** A Run that took too long. */
export const TIMED_OUT: Failure = {
  reason: RUN_REASONS.TimedOut,
  error: {
    code: 'timeout',
    message: 'took longer than its timeout (spec.timeoutSeconds of the Run, limits of its Agent)',
    retryable: true,
  },
};

/** A pod that somebody deleted, or that is gone without anybody having seen how it ended. */
const POD_DELETED: Failure = {
  reason: RUN_REASONS.WorkloadDeleted,
  error: { code: 'conflict', message: 'its pod was deleted by somebody else', retryable: true },
};
/** How a container ends that is told to: by SIGTERM, or by SIGKILL after its grace. */
const TOLD_TO_END: ReadonlySet<number> = new Set([143, 137]);

function failureOf(end: JobCondition, pod: KubeObject | undefined): Failure {
  if (isOverdue(end)) return TIMED_OUT;
  if (pod === undefined || wasDeleted(pod)) return POD_DELETED;
  const { terminated } = stateOf(pod);
  if (terminated !== undefined && terminated.exitCode !== 0) return exitOf(terminated);
  const { reason, message } = podStatus(pod);
  if (terminated === undefined && reason !== undefined) return rejected(reason, message);
  const why = message ?? end.message ?? 'its Job failed';
  return {
    reason: RUN_REASONS.ContainerFailed,
    error: { code: 'internal_error', message: why, retryable: true },
  };
}

function wasDeleted(pod: KubeObject): boolean {
  const { terminated } = stateOf(pod);
  const isToldToEnd = terminated === undefined || TOLD_TO_END.has(terminated.exitCode);
  return pod.metadata.deletionTimestamp !== undefined && isToldToEnd && terminated?.reason !== OUT_OF_MEMORY;
}

/** What a node will not take when it comes there, for want of cores or devices that the scheduler thought it had, for one. */
function rejected(reason: string, words = ''): Failure {
  const message = `its node refused its pod: ${reason}: ${words}`;
  return {
    reason: RUN_REASONS.StartFailed,
    error: { code: 'dependency_unavailable', message, retryable: true },
  };
}

/** What the container itself says of its failure goes with it; only it knows whether another attempt could help. */
function withSaid({ reason, error }: Failure, { error: own, text }: Said): Failure {
  const words = own?.message ?? text;
  if (words === undefined || reason !== RUN_REASONS.ContainerFailed) return { reason, error };
  const message = `${error.message}: ${printable(words)}`;
  return { reason, error: { ...error, message, retryable: own?.retryable ?? error.retryable } };
}

function exitOf({ exitCode, reason }: Terminated): Failure {
  if (reason === OUT_OF_MEMORY) {
    const message =
      'the container used more memory than its limit (container.resources.limits.memory of the Agent)';
    const error = { code: 'quota_exceeded', message, retryable: false, exitCode } as const;
    return { reason: RUN_REASONS.OutOfMemory, error };
  }
  const message = `the container ended with exit code ${exitCode}`;
  const error = { code: 'internal_error', message, retryable: false, exitCode } as const;
  return { reason: RUN_REASONS.ContainerFailed, error };
}

/** Why no container runs yet, or not any more. */
function obstacleOf(
  pod: KubeObject | undefined,
  { refusal, unmounted }: Pick<Workload, 'refusal' | 'unmounted'>,
): Obstacle {
  if (pod === undefined || (isPodFinished(pod) && refusal !== undefined)) {
    if (refusal === undefined) return { reason: RUN_REASONS.Starting, message: 'its pod is being made' };
    return refusedBy(refusal);
  }
  const obstacle = lossOf(pod) ?? waitOf(pod) ?? (unmounted && withoutVolume(unmounted));
  return obstacle ?? { reason: RUN_REASONS.Starting, message: 'its pod is starting' };
}

function lossOf(pod: KubeObject): Obstacle | undefined {
  const { reason } = podStatus(pod);
  const disrupted = disruptionOf(pod);
  if (disrupted === undefined) return undefined;
  const why = [reason ?? disrupted.reason, disrupted.message].filter(Boolean).join(': ');
  const message = `its pod was lost and is replaced, which spends no retry: ${why}`;
  return { reason: RUN_REASONS.NodeLost, message, since: '' };
}

function refusedBy({ message: words, sinceMs }: Refusal): Obstacle {
  const reason = RUN_REASONS.WorkloadRefused;
  const message = `its pod is refused: ${words}`;
  if (sinceMs === undefined) return { reason, message, since: '' };
  const retryable = PASSING.test(words);
  const error = { code: codeOf(words, retryable), message, retryable };
  const lasting = { reason, error, sinceMs, forMs: retryable ? STUCK_MS : REFUSED_MS };
  return { reason, message, since: '', lasting };
}

function codeOf(words: string, isPassing: boolean): RunError['code'] {
  if (isPassing) return 'dependency_unavailable';
  if (/ValidatingAdmissionPolicy|violates PodSecurity/.test(words)) return 'policy_blocked';
  return words.includes('is forbidden') ? 'forbidden' : 'invalid_request';
}

function waitOf(pod: KubeObject): Obstacle | undefined {
  const { conditions = [] } = podStatus(pod);
  const scheduled = conditions.find((one) => one.type === 'PodScheduled');
  if (scheduled?.status === 'False') {
    const message = `waits for a node: ${scheduled.message ?? 'not scheduled yet'}`;
    return { reason: RUN_REASONS.Starting, message, since: scheduled.lastTransitionTime ?? '' };
  }
  // A pod may have waited for its node for long, which is nothing to hold against its container.
  return stuckSince(pod, scheduled?.lastTransitionTime ?? pod.metadata.creationTimestamp ?? '');
}

function stuckSince(pod: KubeObject, since: string): Obstacle | undefined {
  const { reason = '', message: words = '' } = stateOf(pod).waiting ?? {};
  if (USUAL_WAITS.has(reason)) return undefined;
  const message = `the container cannot start: ${reason}: ${words}`;
  const failure = reason === 'InvalidImageName' ? invalidImage(message) : notStarted(message);
  const lasting = { ...failure, sinceMs: Date.parse(since) };
  return { reason: RUN_REASONS.Starting, message, since, lasting };
}

/** Of this the pod itself says nothing but that its container is being created. */
function withoutVolume({ message: words, sinceMs }: Unmounted): Obstacle {
  const message = `a volume cannot be mounted: ${words}`;
  const since = new Date(sinceMs).toISOString();
  return { reason: RUN_REASONS.Starting, message, since, lasting: { ...notStarted(message), sinceMs } };
}

function invalidImage(message: string): Failure & { readonly forMs: number } {
  const error = { code: 'invalid_request', message, retryable: false } as const;
  return { reason: RUN_REASONS.WorkloadRefused, error, forMs: REFUSED_MS };
}

function notStarted(message: string): Failure & { readonly forMs: number } {
  const error = { code: 'dependency_unavailable', message, retryable: true } as const;
  return { reason: RUN_REASONS.StartFailed, error, forMs: STUCK_MS };
}

/** When a Job ended; undefined while it has not. */
export function jobEndedAt(job: KubeObject): Date | undefined {
  const atMs = Date.parse(jobEnd(job)?.lastTransitionTime ?? '');
  return Number.isNaN(atMs) ? undefined : new Date(atMs);
}

function jobEnd(job: KubeObject): JobCondition | undefined {
  const status = job['status'] as { readonly conditions?: readonly JobCondition[] } | undefined;
  return status?.conditions?.find(
    ({ type, status: is }) => is === 'True' && (type === 'Complete' || type === 'Failed'),
  );
}

function podStatus(pod: KubeObject): PodStatus {
  return (pod['status'] as PodStatus | undefined) ?? {};
}

/** The condition of a pod that ended by no doing of its own; undefined for any other. */
export function disruptionOf(pod: KubeObject): JobCondition | undefined {
  const { conditions = [] } = podStatus(pod);
  return conditions.find((one) => one.type === DISRUPTED && one.status === 'True');
}

/** The state of the container of a pod, as far as it is told. */
export function stateOf(pod: KubeObject | undefined): NonNullable<ContainerStatus['state']> {
  const containers = pod === undefined ? [] : (podStatus(pod).containerStatuses ?? []);
  return containers.find(({ name }) => name === CONTAINER_NAME)?.state ?? {};
}

/** The one made last; of two made in the same second, the one that has not ended. */
function newest(pods: readonly KubeObject[]): KubeObject | undefined {
  return pods.toSorted((a, b) => (ageOf(a) < ageOf(b) ? 1 : -1))[0];
}

/** Sorts by creation, and with it those that have not ended last. */
function ageOf(pod: KubeObject): string {
  return `${pod.metadata.creationTimestamp ?? ''}${isPodFinished(pod) ? 0 : 1}`;
}
