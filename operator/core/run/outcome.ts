// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import { KUEUE_EVICTED } from '../kueue/kueue.ts';
import type { KubeObject } from '../object.ts';
import { CONTAINER_NAME } from './pod.ts';
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
  | ({ readonly kind: 'starting' } & Obstacle);

interface Obstacle {
  readonly reason: string;
  readonly message: string;
  readonly since?: string;
  readonly lasting?: Lasting;
}

interface PodCondition {
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
  readonly conditions?: readonly PodCondition[];
  readonly containerStatuses?: readonly ContainerStatus[];
}

const OUT_OF_MEMORY = 'OOMKilled';
/** How every container begins. */
const USUAL_WAITS: ReadonlySet<string> = new Set(['', 'ContainerCreating', 'PodInitializing']);
/** When one of these is true of a pod, it was not its own doing that it ended. */
const DISRUPTIONS: ReadonlySet<string> = new Set(['DisruptionTarget', KUEUE_EVICTED]);
/** How a node says that a pod took too long. */
const OVER_DEADLINE = 'DeadlineExceeded';
/** What no node can read is given up after this long. */
const UNREADABLE_MS = 60_000;
/** What cannot start for reasons that may pass (a registry that is away) holds its place no longer. */
const STUCK_MS = 600_000;

/**
 * Whether a pod has ended, for good, and counts against quota no more. Also one that was deleted before it had a node, since it
 * gets none any more, and one that somebody deleted by force, who says by that that its node will tell nothing: nobody else would ever write that these have.
 */
export function isPodFinished(pod: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  if (hasPhase(pod, 'Succeeded') || hasPhase(pod, 'Failed')) return true;
  return deletionTimestamp !== undefined && (deletionGracePeriodSeconds === 0 || !hasNode(pod));
}

function hasPhase(pod: KubeObject, phase: string): boolean {
  return podStatus(pod).phase === phase;
}

function hasNode({ spec }: KubeObject): boolean {
  const { nodeName = '' } = (spec ?? {}) as { readonly nodeName?: string };
  return nodeName !== '';
}

/** Whether a pod has done its work: its container ended well, and not since it was told to. */
function hasSucceeded(pod: KubeObject): boolean {
  return hasPhase(pod, 'Succeeded') && !hasEndedAsTold(pod);
}

/**
 * Whether the container of a pod ended after it was told to, as far as that is known. Instants are whole seconds, so what ended in the
 * second of the request ended by itself: an agent that is told to end may do that well, with nothing done.
 */
function hasEndedAsTold(pod: KubeObject): boolean {
  const finishedAt = known(stateOf(pod).terminated?.finishedAt);
  return finishedAt !== undefined && Date.parse(finishedAt) > toldToEndMs(pod);
}

/** When a pod was told to end. A later deletion, as by its kubelet, takes as much from its instant as from its grace, so it tells this too. */
function toldToEndMs(pod: KubeObject): number {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata;
  if (deletionTimestamp === undefined) return Infinity;
  const deletedMs = Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  const announced = known(disruptionOf(pod)?.lastTransitionTime);
  return announced === undefined ? deletedMs : Math.min(deletedMs, Date.parse(announced));
}

/**
 * How much longer an attempt may take, in milliseconds, by the clock that begins with the creation of its pod; or `since` its Run was admitted,
 * which is later where the pod had to wait for that.
 */
export function deadlineMs(
  { metadata, spec }: KubeObject,
  { since = '', now }: { readonly since?: string | undefined; readonly now: Date },
): number {
  const { activeDeadlineSeconds = Infinity } = (spec ?? {}) as { readonly activeDeadlineSeconds?: number };
  const madeMs = Date.parse(metadata.creationTimestamp ?? '');
  const sinceMs = Date.parse(since);
  const beginMs = sinceMs > madeMs ? sinceMs : madeMs;
  return beginMs + activeDeadlineSeconds * 1000 - now.getTime();
}

/** How a pod stands, and what its node could not mount for it, if so. */
export function assessPod(
  pod: KubeObject,
  { unmounted, now }: { readonly unmounted: Unmounted | undefined; readonly now: Date },
): Outcome {
  const started = startOf(pod);
  if (isPodFinished(pod)) {
    const said = readSaid(stateOf(pod).terminated?.message);
    if (hasSucceeded(pod)) return { kind: 'succeeded', ...started, said };
    return { kind: 'failed', ...withSaid(failureOf(pod), said), ...started, said };
  }
  const isGoing = pod.metadata.deletionTimestamp !== undefined;
  if (isGoing) return { kind: 'starting', reason: RUN_REASONS.Starting, message: 'its pod is being deleted' };
  if (stateOf(pod).running !== undefined) return { kind: 'running', ...started };
  const missing = unmounted !== undefined && isStillUnmounted(unmounted, now) ? unmounted : undefined;
  return { kind: 'starting', ...obstacleOf(pod, missing) };
}

/** When the container of a pod started, as far as that is known. */
export function startOf(pod: KubeObject | undefined): { readonly startedAt?: string } {
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
export const POD_DELETED: Failure = {
  reason: RUN_REASONS.WorkloadDeleted,
  error: { code: 'conflict', message: 'its pod was deleted, or replaced, by somebody else', retryable: true },
};
/** How a container ends that is told to: by SIGTERM, or by SIGKILL after its grace. */
const TOLD_TO_END: ReadonlySet<number> = new Set([143, 137]);

function failureOf(pod: KubeObject): Failure {
  // It ended well, but not by itself.
  if (hasPhase(pod, 'Succeeded')) return POD_DELETED;
  const { reason, message } = podStatus(pod);
  if (reason === OVER_DEADLINE) return TIMED_OUT;
  if (wasDeleted(pod)) return POD_DELETED;
  const { terminated } = stateOf(pod);
  if (terminated !== undefined && terminated.exitCode !== 0) return exitOf(terminated);
  if (terminated === undefined && reason !== undefined) return rejected(reason, message);
  return {
    reason: RUN_REASONS.ContainerFailed,
    error: { code: 'internal_error', message: message ?? 'its pod failed', retryable: true },
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
  const { code = error.code, retryable = error.retryable } = own ?? {};
  return { reason, error: { ...error, message, code, retryable } };
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

/** Why no container runs yet. */
function obstacleOf(pod: KubeObject, unmounted: Unmounted | undefined): Obstacle {
  const obstacle = waitOf(pod) ?? (unmounted && withoutVolume(unmounted));
  return obstacle ?? { reason: RUN_REASONS.Starting, message: 'its pod is starting' };
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
  return { reason: RUN_REASONS.WorkloadRefused, error, forMs: UNREADABLE_MS };
}

function notStarted(message: string): Failure & { readonly forMs: number } {
  const error = { code: 'dependency_unavailable', message, retryable: true } as const;
  return { reason: RUN_REASONS.StartFailed, error, forMs: STUCK_MS };
}

function podStatus(pod: KubeObject): PodStatus {
  return (pod['status'] as PodStatus | undefined) ?? {};
}

/** The condition of a pod that ends, or has ended, by no doing of its own; undefined for any other. */
export function disruptionOf(pod: KubeObject): PodCondition | undefined {
  const { conditions = [] } = podStatus(pod);
  return conditions.find((one) => DISRUPTIONS.has(one.type) && one.status === 'True');
}

/** Whether it is Kueue that ends a pod. */
export function isEvictedByKueue(pod: KubeObject): boolean {
  return disruptionOf(pod)?.type === KUEUE_EVICTED;
}

/**
 * Why a pod is lost, in words; undefined where it is not. It is announced a moment before the pod is deleted, and may be taken back until
 * then. One whose container had ended well by itself before has done its work.
 */
export function lossOf(pod: KubeObject): string | undefined {
  const disruption = disruptionOf(pod);
  const isEnding = pod.metadata.deletionTimestamp !== undefined || hasPhase(pod, 'Failed');
  if (disruption === undefined || !isEnding || hasSucceeded(pod)) return undefined;
  const { reason = disruption.reason } = podStatus(pod);
  return [reason, disruption.message].filter(Boolean).join(': ');
}

/** The state of the container of a pod, as far as it is told. */
export function stateOf(pod: KubeObject | undefined): NonNullable<ContainerStatus['state']> {
  const containers = pod === undefined ? [] : (podStatus(pod).containerStatuses ?? []);
  return containers.find(({ name }) => name === CONTAINER_NAME)?.state ?? {};
}
