// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { API_VERSION, ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import type { Schedule } from '#crds/v1alpha1/agent-schedule';
import type { KubeObject } from '../object.ts';
import type { Removal } from '../plan.ts';
import { removalOf } from '../plan.ts';
import { isFinished, phaseOf, type Run, withSuffix } from '../run/run.ts';
import type { Agent } from './agent.ts';

/**
 * The name of the Run of one start: the same whoever asks for it and however often, and another one for an Agent of the same name
 * that is made later. Example: `reporter-202611211200-5f2a9c01`, in UTC.
 */
export function scheduledRunName({ metadata }: Agent, scheduledTime: string): string {
  const digest = createHash('sha256').update(`${metadata.uid}/${scheduledTime}`).digest('hex').slice(0, 8);
  const suffix = `-${scheduledTime.replaceAll(/\D/g, '').slice(0, 12)}-${digest}`;
  return withSuffix(metadata.name, suffix);
}

/** A start of a schedule. */
export interface Start {
  readonly schedule: Schedule;
  readonly scheduledTime: string;
  /** User name of who creates the Run, which is us; undefined where that is not known. */
  readonly creator: string | undefined;
}

/**
 * The Run of one start. The Agent does not own it: Runs go on when their Agent is deleted, those of a schedule like any other.
 * What marks it is a label that tenants cannot set. Who created it is written here, as not every cluster fills that in, and what nobody
 * created nobody could approve; a template that names somebody else is refused with a word, and not corrected without one.
 */
export function scheduledRun(
  agent: Agent,
  { schedule: { runTemplate }, scheduledTime, creator }: Start,
): KubeObject {
  const { name, namespace = '', uid = '' } = agent.metadata;
  const { labels, annotations } = runTemplate?.metadata ?? {};
  return {
    apiVersion: API_VERSION,
    kind: 'Run',
    metadata: {
      name: scheduledRunName(agent, scheduledTime),
      namespace,
      labels: { ...labels, [LABELS.agent]: name, [LABELS.scheduledBy]: uid },
      annotations: {
        ...(creator !== undefined && { [ANNOTATIONS.createdBy]: creator }),
        ...annotations,
        [ANNOTATIONS.scheduledTime]: scheduledTime,
      },
    },
    spec: { ...runTemplate?.spec, agentRef: { name } },
  };
}

/** Whether the schedule of `agent` has started `run`. */
export function isScheduledBy({ metadata }: KubeObject, agent: Agent): boolean {
  const uid = metadata.labels?.[LABELS.scheduledBy];
  return uid !== undefined && uid === agent.metadata.uid;
}

/** Runs that have not ended, those that are being deleted included. */
export function unfinished(runs: readonly Run[]): readonly Run[] {
  return runs.filter((run) => !isFinished(run));
}

/** When one of `runs` succeeded last, or `known` if that is later. */
export function lastSuccess(runs: readonly Run[], known: string | undefined): string | undefined {
  const ends = runs
    .filter((run) => phaseOf(run) === 'Succeeded')
    .map(({ status }) => status?.finishedAt ?? '');
  return [...ends, known ?? ''].toSorted().at(-1) || undefined;
}

/** Finished Runs beyond what is kept, the oldest of each kind. */
export function outOfHistory(runs: readonly Run[], limits: Schedule): readonly Run[] {
  const ended = runs
    .filter((run) => isFinished(run) && run.metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => (ageKey(a) < ageKey(b) ? 1 : -1));
  const [succeeded, failed] = [true, false].map((is) =>
    ended.filter((run) => (phaseOf(run) === 'Succeeded') === is),
  );
  return [
    ...(succeeded ?? []).slice(limits.successfulRunsHistoryLimit),
    ...(failed ?? []).slice(limits.failedRunsHistoryLimit),
  ];
}

/** Deletes a Run; its workload follows. */
export function removed(run: Run): Removal {
  return { ...removalOf(run), propagation: 'Background' };
}

/** Not by the annotation, which users can change. */
function ageKey({ metadata }: Run): string {
  return `${metadata.creationTimestamp} ${metadata.name}`;
}
