// SPDX-License-Identifier: Apache-2.0
import type { ReportedUsage } from '#crds/v1alpha1/run-result';
import type { PodUse } from '#crds/v1alpha1/run-usage';
import { toInstant } from '../conditions.ts';
import { defined, type KubeObject } from '../object.ts';
import { disruptionOf, known, startOf, stateOf } from './outcome.ts';
import { limitReport } from './report-limit.ts';
import { readSaid } from './result.ts';
import type { Run } from './run.ts';

/** What is seen of an attempt when it is settled. */
export interface AttemptEnd {
  /** Undefined where nothing was made, or nothing is left. */
  readonly pod: KubeObject | undefined;
  /** Of a Run of many pods: those that are left. */
  readonly members?: readonly KubeObject[];
  /** Its container did not run for longer. */
  readonly until: Date;
}

/**
 * The time of the container of the present attempt, when that has ended; undefined if it did not start. Of a pod that is gone nobody knows the
 * end: it counts up to the end of the attempt, and says `Observed`.
 */
export function useOfAttempt({ status }: Run, { pod, until }: AttemptEnd): PodUse | undefined {
  const end = pod === undefined ? toInstant(until) : seenEnd(pod, until);
  const use = (pod && useOf(pod, end)) ?? unseenUse(status?.startedAt, end);
  return use && limited(use, status?.usage?.open?.rate.maxSeconds);
}

/** The same of every pod of the attempt that has started. Once all were seen made, one that is missing has run as one that is gone. */
export function usesOfAttempt(run: Run, { pod, members = [], until }: AttemptEnd): readonly PodUse[] {
  const { gang, child } = run.status ?? {};
  if (gang === undefined) return [useOfAttempt(run, { pod, until })].filter((use) => use !== undefined);
  const gone = child?.uid === undefined ? 0 : Math.max(0, gang.pods - members.length);
  const pods = [...members, ...Array.from({ length: gone }, () => undefined)];
  return pods.map((one) => memberUse(run, { pod: one, until })).filter((use) => use !== undefined);
}

/** Of a pod that is there, its own container alone tells whether it has started. */
function memberUse(run: Run, { pod, until }: AttemptEnd): PodUse | undefined {
  const isUnstarted = pod !== undefined && startOf(pod).startedAt === undefined;
  return isUnstarted ? undefined : useOfAttempt(run, { pod, until });
}

function limited(use: PodUse, maxSeconds = Infinity): PodUse {
  return { ...use, ...defined({ reported: limitReport(use.reported, { ...use, maxSeconds }) }) };
}

/** What nothing is left of but that it was seen to start. */
function unseenUse(startedAt: string | undefined, end: string): PodUse | undefined {
  if (startedAt === undefined) return undefined;
  return { uid: '', startedAt, finishedAt: later(startedAt, end), basis: 'Observed' };
}

/** The time of the container of a pod; undefined if it is not known to have started. `end`: when it had ended, where nothing tells. */
function useOf(pod: KubeObject, end: string): PodUse | undefined {
  const { running, terminated } = stateOf(pod);
  const startedAt = known(running?.startedAt) ?? known(terminated?.startedAt);
  if (startedAt === undefined) return undefined;
  const finishedAt = known(terminated?.finishedAt);
  return {
    uid: pod.metadata.uid ?? '',
    startedAt,
    finishedAt: later(startedAt, finishedAt ?? end),
    basis: finishedAt === undefined ? 'Observed' : 'ContainerStatus',
    ...defined({ reported: reportOf(pod) }),
  };
}

/** What the container of a pod says that it used, in its own words. */
export function reportOf(pod: KubeObject): ReportedUsage | undefined {
  return readSaid(stateOf(pod).terminated?.message).usage;
}

/** A pod that was lost with its node never says when it ended; nor does one that was deleted by force, with the time that it had to end. */
function seenEnd(pod: KubeObject, until: Date): string {
  const { deletionTimestamp } = pod.metadata;
  const at = disruptionOf(pod)?.lastTransitionTime ?? deletionTimestamp;
  return at === undefined || isBefore(toInstant(until), at) ? toInstant(until) : at;
}

function isBefore(a: string, b: string): boolean {
  return Date.parse(a) < Date.parse(b);
}

/** The later of two instants. */
function later(a: string, b: string): string {
  return isBefore(a, b) ? b : a;
}
