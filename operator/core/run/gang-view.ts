// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../object.ts';
import type { Ended } from './ending.ts';
import type { Member } from './gang.ts';
import {
  assessPod,
  deadlineMs,
  isPodFinished,
  known,
  lossOf,
  type Outcome,
  POD_DELETED,
  startOf,
  stateOf,
  TIMED_OUT,
} from './outcome.ts';
import type { Run } from './run.ts';

/** One pod of a Run, and how it stands. */
export interface Seen extends Member {
  readonly outcome: Outcome;
}

/** The pods of the present attempt of a Run, as they stand. */
export interface GangView {
  /** How many there are to be. */
  readonly size: number;
  readonly seen: readonly Seen[];
  /** Whether all of them were seen made before: one that is missing is gone then. */
  readonly wasWhole: boolean;
}

/** What is seen of the pods of a Run of many. */
export function viewOf({ status }: Run, members: readonly Member[], now: Date): GangView {
  return {
    size: status?.gang?.pods ?? 0,
    seen: members.map((one) => ({ ...one, outcome: assessPod(one.pod, { unmounted: one.unmounted, now }) })),
    wasWhole: status?.child?.uid !== undefined,
  };
}

/** Whether all of them are there, running or not. */
export function isWhole({ size, seen }: GangView): boolean {
  return seen.length >= size;
}

/** The pods that have not ended. */
export function livePods({ seen }: GangView): readonly KubeObject[] {
  return seen.map(({ pod }) => pod).filter((pod) => !isPodFinished(pod));
}

/** Those whose container has started, whatever became of it. */
export function startedCount({ seen }: GangView): number {
  return seen.filter(({ pod }) => isPodFinished(pod) || startOf(pod).startedAt !== undefined).length;
}

/** When the first of their containers started. */
export function firstStart({ seen }: GangView): { readonly startedAt?: string } {
  const [startedAt] = seen.flatMap(({ pod }) => startOf(pod).startedAt ?? []).toSorted();
  return startedAt === undefined ? {} : { startedAt };
}

/** How many run, and how many have ended well. */
export function countsOf({ seen }: GangView): { readonly running: number; readonly succeeded: number } {
  return {
    running: seen.filter(({ outcome }) => outcome.kind === 'running').length,
    succeeded: seen.filter(({ outcome }) => outcome.kind === 'succeeded').length,
  };
}

/** A pod that had to go by no doing of its own. */
export function lostPod({ seen }: GangView): KubeObject | undefined {
  return seen.find(({ pod }) => lossOf(pod) !== undefined)?.pod;
}

/** Whether a pod that has ended was told to: what its container made of that says nothing of its work. */
export function isCutShort(pod: KubeObject): boolean {
  return pod.metadata.deletionTimestamp !== undefined || lossOf(pod) !== undefined;
}

/** How the Run fails whose pods are so, whichever of them still run; undefined while it goes on. */
export function failureOf(view: GangView, now: Date): Ended | undefined {
  const failed = firstFailed(view, () => true);
  if (failed !== undefined) return failed;
  if (view.wasWhole && !isWhole(view)) return POD_DELETED;
  if (leftMs(view, now) <= 0) return TIMED_OUT;
  return stuck(view, now);
}

/** The failure of the pod that failed first, of those that are `among` them: most others fail for want of that one. */
export function firstFailed({ seen }: GangView, among: (pod: KubeObject) => boolean): Ended | undefined {
  const failed = seen.flatMap(({ index, pod, outcome }) =>
    outcome.kind === 'failed' && among(pod) ? [{ index, outcome, at: endedMs(pod) }] : [],
  );
  const [first] = failed.toSorted((a, b) => a.at - b.at || a.index - b.index);
  return first && ofPod(first.outcome, first.index);
}

/** How much longer the attempt may take, in milliseconds, by the pod that was made first. */
export function leftMs({ seen }: GangView, now: Date): number {
  return seen.reduce((least, { pod }) => Math.min(least, deadlineMs(pod, { now })), Infinity);
}

/** The first pod that does not start, and why, if that is worth telling. */
export function obstacleIn({ seen }: GangView) {
  const waiting = seen.flatMap(({ index, outcome }) =>
    outcome.kind === 'starting' ? [{ index, outcome }] : [],
  );
  const found = waiting.find(({ outcome }) => outcome.since !== undefined);
  return (
    found && { ...found.outcome, message: `waits for pod ${found.index} to start: ${found.outcome.message}` }
  );
}

/** What no pod can wait for any longer: an image that is not to be had, for one. */
function stuck({ seen }: GangView, now: Date): Ended | undefined {
  for (const { index, outcome } of seen) {
    const { lasting } = outcome.kind === 'starting' ? outcome : {};
    if (lasting === undefined || lasting.sinceMs + lasting.forMs > now.getTime()) continue;
    const { reason, error, forMs } = lasting;
    const message = `given up after ${forMs / 1000} seconds: ${error.message}`;
    return ofPod({ reason, error: { ...error, message } }, index);
  }
  return undefined;
}

function ofPod(failure: Ended, index: number): Ended {
  const { error } = failure;
  return { ...failure, error: { ...error, message: `pod ${index}: ${error.message}`, index } };
}

function endedMs(pod: KubeObject): number {
  const finishedAt = known(stateOf(pod).terminated?.finishedAt);
  return finishedAt === undefined ? Infinity : Date.parse(finishedAt);
}
