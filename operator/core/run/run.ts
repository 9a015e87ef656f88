// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { GROUP } from '#crds/v1alpha1/names';
import { RUN_REASONS, type RunSpec, type RunStatus } from '#crds/v1alpha1/run';
import type { KubeObject, OwnerReference } from '../object.ts';
import { remembering } from '../remember.ts';

/** A Run after defaulting. */
export type Run = KubeObject & { readonly spec: RunSpec; readonly status?: RunStatus };

/** Where a Run is. */
export type Phase = NonNullable<RunStatus['phase']>;

/** Longest name of a Run or of its pods: it becomes a label. */
const MAX_NAME_LENGTH = 63;

/**
 * The phase of a Run; Queued before anybody looked at it. One that waits for capacity says that it is Queued, as it is to its user; to us it is
 * under way, since it holds its reservation, and its pod is there or about to be.
 */
export function phaseOf(run: Run): Phase {
  return isWaitingForCapacity(run) ? 'Admitted' : (run.status?.phase ?? 'Queued');
}

/** Whether a Run has passed the first gate and waits at the second, for Kueue: no other one in the queue has a workload. */
export function isWaitingForCapacity({ status }: Run): boolean {
  const isWaiting = status?.phase === 'Queued' && status.child !== undefined;
  return isWaiting && status.queue?.reason === RUN_REASONS.WaitingForCapacity;
}

/** Whether the Run has come to its end, which is for ever. */
export function isFinished(run: Run): boolean {
  const phase = phaseOf(run);
  return phase === 'Succeeded' || phase === 'Failed' || phase === 'Cancelled';
}

/** Whether an attempt of the Run is under way. */
export function isActive(run: Run): boolean {
  const phase = phaseOf(run);
  return phase === 'Admitted' || phase === 'Running';
}

/** Whether `run` is the controller of `object`, by a reference to a kind of ours: tenants may name its uid in others. */
export function isOwnedBy({ metadata }: KubeObject, run: Run): boolean {
  const { uid } = run.metadata;
  return metadata.ownerReferences?.some((one) => isController(one) && one.uid === uid) === true;
}

function isController({ controller, kind, apiVersion }: OwnerReference): boolean {
  return controller === true && kind === 'Run' && apiVersion.startsWith(`${GROUP}/`);
}

/** Whether `pod`, which has the name of the present attempt of `run`, was made for that, and is no namesake of what was. */
export function isWorkloadOf(pod: KubeObject, run: Run): boolean {
  const childUid = run.status?.child?.uid;
  // Whose uid is known needs no owner: an orphan deletion of the Run takes that off a pod which still runs.
  return childUid === undefined ? isOwnedBy(pod, run) : childUid === pod.metadata.uid;
}

/** The priority of a Run; one that says none has none. */
export function priorityOf({ spec }: Run): number {
  return spec.priority ?? 0;
}

/** Attempts of the Run that were started. */
export function attemptsOf(run: Run): number {
  return run.status?.attempt ?? 0;
}

/**
 * What orders Runs that were created in the same second, as their creation says no more: the lower is the older. Versions grow with every
 * write, so that of a Run that only its creator has written orders it among others; later it is what was kept of that.
 */
export function arrivalOf({ metadata, status }: Run): number | undefined {
  const { resourceVersion } = metadata;
  return status?.arrival ?? (resourceVersion === undefined ? undefined : Number(resourceVersion));
}

/** What names a Run for ever: also one that is gone, from its reservation. */
export interface RunIdentity {
  readonly name: string;
  readonly uid: string;
}

/** The identity of `run`. The API server has given it a uid before anybody could see it. */
export function identityOf(run: Run): RunIdentity {
  return { name: run.metadata.name, uid: run.metadata.uid ?? '' };
}

/**
 * The name of the workload of one attempt: the same whenever it is asked for, so that nothing is made twice, and another
 * one for a Run of the same name that is made later. Example: `summarize-5f2a9c01d3-1`.
 */
export function childName({ name, uid }: RunIdentity, attempt: number): string {
  return withSuffix(name, `-${uidDigest(uid)}-${attempt}`);
}

/** The same of one of the pods of a Run of many. Example: `train-5f2a9c01d3-1-0`. */
export function memberName({ name, uid }: RunIdentity, attempt: number, index: number): string {
  return withSuffix(name, `-${uidDigest(uid)}-${attempt}-${index}`);
}

/**
 * What stands for the uid of a Run in names. Each pass over a Run asks for it several times, so it is remembered: of the Runs that were asked about last,
 * ended ones too, some hundred bytes each.
 */
export const uidDigest = remembering(10_000, (uid) =>
  createHash('sha256').update(uid).digest('hex').slice(0, 10),
);

/** `name` with a suffix that must stay whole, cut in front of it to a length that a label can have. */
export function withSuffix(name: string, suffix: string): string {
  return name.slice(0, MAX_NAME_LENGTH - suffix.length).replace(/-+$/, '') + suffix;
}
