// SPDX-License-Identifier: Apache-2.0
import type { ReportedUsage } from '#crds/v1alpha1/run-result';
import { MAX_POD_USES, type PodUse } from '#crds/v1alpha1/run-usage';
import { toInstant } from '../conditions.ts';
import { defined, type KubeObject } from '../object.ts';
import { disruptionOf, isPodFinished, known, stateOf } from './outcome.ts';
import { limitReport } from './report-limit.ts';
import { readSaid } from './result.ts';
import { isPodOf, type Run } from './run.ts';

/** What is seen of an attempt when it is settled. */
export interface AttemptEnd {
  /** Those of other attempts may be among them. */
  readonly pods: readonly KubeObject[];
  /** No container of it that has ended ran for longer. */
  readonly until: Date;
}

/** The time of those containers of the present attempt that have ended, with what was noted of it before. */
export function endedUses(run: Run, { pods, until }: AttemptEnd): readonly PodUse[] {
  const ended = pods.filter(isPodFinished);
  return allSeen(run, { pods: ended, until });
}

/**
 * The time of all containers of the present attempt, when it has ended. Of a pod that is gone nobody knows the end: it counts
 * up to the next pod, or to the end of the attempt, and says `Observed`.
 */
export function allUses(run: Run, end: AttemptEnd): readonly PodUse[] {
  const seen = allSeen(run, end);
  return merge(seen, [unseenUse(run, seen, end.until)]);
}

function allSeen(run: Run, { pods, until }: AttemptEnd): readonly PodUse[] {
  const own = pods.filter((pod) => isPodOf(pod, run));
  const { rate, pods: noted = [] } = run.status?.usage?.open ?? {};
  const { maxSeconds = Infinity } = rate ?? {};
  const uses = own.map((pod) => useOf(pod, until));
  // What was noted before, by an older operator, may not have been limited.
  return merge(noted, uses).map((use) => limited(use, maxSeconds));
}

/** What nothing is left of but that it was seen to start. */
function unseenUse(run: Run, seen: readonly PodUse[], until: Date): PodUse | undefined {
  const { startedAt } = run.status ?? {};
  const [first] = seen;
  if (startedAt === undefined || (first !== undefined && !isBefore(startedAt, first.startedAt)))
    return undefined;
  const end = first?.startedAt ?? toInstant(until);
  return { uid: '', startedAt, finishedAt: later(startedAt, end), basis: 'Observed' };
}

/** The time of the container of a pod; undefined if it did not start. `until`: when it had ended, where nothing tells. */
function useOf(pod: KubeObject, until: Date): PodUse | undefined {
  const { running, terminated } = stateOf(pod);
  const startedAt = known(running?.startedAt) ?? known(terminated?.startedAt);
  if (startedAt === undefined) return undefined;
  const finishedAt = known(terminated?.finishedAt);
  return {
    uid: pod.metadata.uid ?? '',
    startedAt,
    finishedAt: later(startedAt, finishedAt ?? seenEnd(pod, until)),
    basis: finishedAt === undefined ? 'Observed' : 'ContainerStatus',
    ...defined({ reported: reportedBy(pod) }),
  };
}

function reportedBy(pod: KubeObject): ReportedUsage | undefined {
  return readSaid(stateOf(pod).terminated?.message).usage;
}

/** What the containers of pods say that they used, in their own words, by the uid of the pod. */
export function reportsOf(pods: readonly KubeObject[]): ReadonlyMap<string, ReportedUsage> {
  return new Map(
    pods.flatMap((pod) => {
      const reported = reportedBy(pod);
      return reported === undefined ? [] : [[pod.metadata.uid ?? '', reported] as const];
    }),
  );
}

function limited(use: PodUse, maxSeconds: number): PodUse {
  return { ...use, ...defined({ reported: limitReport(use.reported, { ...use, maxSeconds }) }) };
}

/** A pod that was lost with its node never says when it ended. */
function seenEnd(pod: KubeObject, until: Date): string {
  return disruptionOf(pod)?.lastTransitionTime ?? toInstant(until);
}

/** Each pod once, in the order of their starts; what its container says counts for more than what was seen of it. */
function merge(before: readonly PodUse[], more: readonly (PodUse | undefined)[]): readonly PodUse[] {
  const byUid = new Map(before.map((one) => [one.uid, one]));
  for (const one of more) {
    if (one === undefined) continue;
    const isBetter = one.basis === 'ContainerStatus' && byUid.get(one.uid)?.basis === 'Observed';
    if (isBetter || !byUid.has(one.uid)) byUid.set(one.uid, one);
  }
  return bounded([...byUid.values()].toSorted((a, b) => (isBefore(a.startedAt, b.startedAt) ? -1 : 1)));
}

/** More pods than are told apart: the last one that is stands for those after it as well. */
function bounded(uses: readonly PodUse[]): readonly PodUse[] {
  const kept = uses.slice(0, MAX_POD_USES);
  const last = kept.at(-1);
  if (last === undefined || uses.length === kept.length) return kept;
  const finishedAt = uses.reduce((end, one) => later(end, one.finishedAt), last.finishedAt);
  return [...kept.slice(0, -1), { ...last, uid: '', finishedAt, basis: 'Observed' }];
}

function isBefore(a: string, b: string): boolean {
  return Date.parse(a) < Date.parse(b);
}

/** The later of two instants. */
function later(a: string, b: string): string {
  return isBefore(a, b) ? b : a;
}
