// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { RunStatus } from '#crds/v1alpha1/run';
import { makeRate } from '../../metering/testing/make.ts';
import type { KubeObject, ObjectMeta } from '../../object.ts';
import type { Member } from '../gang.ts';
import { memberName } from '../run.ts';
import type { RunObserved } from '../observed.ts';
import { ago, makeAgent, makePod, revisionOf } from './make.ts';
import { ACTIVE, NOTHING_SEEN, RUNNING } from './plan-cases.ts';

/** A pod of a Run of many: `state` is that of its container, the rest that of the pod. */
export function makeMember(
  index: number,
  state: object = { running: { startedAt: ago(3) } },
  { status = {}, metadata = {} }: { readonly status?: object; readonly metadata?: Partial<ObjectMeta> } = {},
): Member {
  const labels = { [LABELS.runUid]: 'run-uid', [LABELS.attempt]: '1', [LABELS.index]: String(index) };
  const name = memberName({ name: 'r', uid: 'run-uid' }, 1, index);
  const pod = makePod(state, status, { name, uid: `pod-${index}`, labels, ...metadata });
  return { index, pod };
}

/** One whose container has ended. */
export function ended(index: number, exitCode: number, secondsAgo = 2): Member {
  const terminated = { exitCode, startedAt: ago(9), finishedAt: ago(secondsAgo) };
  return makeMember(index, { terminated }, { status: { phase: exitCode === 0 ? 'Succeeded' : 'Failed' } });
}

/** One that waits for its node for so long. */
export function nodeless(index: number, seconds = 30): Member {
  const condition = {
    type: 'PodScheduled',
    status: 'False',
    message: 'no node',
    lastTransitionTime: ago(seconds),
  };
  const { pod } = makeMember(index, {}, { status: { phase: 'Pending', conditions: [condition] } });
  return { index, pod: { ...pod, spec: {} } };
}

/** One whose image is being pulled. */
export function pulling(index: number): Member {
  return makeMember(index, { waiting: { reason: 'ContainerCreating' } }, { status: { phase: 'Pending' } });
}

/** One that its node is to lose, or has lost. */
export function disrupted({ index, pod }: Member, metadata: Partial<ObjectMeta> = {}): Member {
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'drain',
    lastTransitionTime: ago(1),
  };
  const status = { ...(pod['status'] as object), conditions: [condition] };
  return { index, pod: { ...pod, status, metadata: { ...pod.metadata, ...metadata } } };
}

/** As it is when something else was done to its pod. */
export function as({ index, pod }: Member, change: (pod: KubeObject) => KubeObject): Member {
  return { index, pod: change(pod) };
}

const GANG = { pods: 3, startBefore: ago(-60), running: 0, succeeded: 0, countedAt: ago(5) };

/** Status of a Run of three pods that is admitted, none of which was told of. */
export const ADMITTED_GANG: RunStatus = {
  ...ACTIVE,
  gang: GANG,
  usage: { open: { rate: makeRate({ cpuMillicores: 1000, pods: 3 }) } },
};

/** The same when all of them run. */
export const RUNNING_GANG: RunStatus = {
  ...RUNNING,
  gang: { ...GANG, running: 3, countedAt: ago(1) },
  conditions: (RUNNING.conditions ?? []).map((one) => ({ ...one, message: 'its 3 pods run' })),
  child: { name: 'r-x-1', uid: 'pod-0' },
  startedAt: ago(3),
  usage: ADMITTED_GANG.usage,
};

/** The same when it was told for what its pods are being ended. */
export function ending(reason: string, more: RunStatus = {}): RunStatus {
  const conditions = RUNNING.conditions?.map((one) => ({ ...one, reason, message: 'so it is' })) ?? [];
  return { ...RUNNING_GANG, conditions, ...more };
}

const AGENT = makeAgent({ gang: { pods: 3, startTimeoutSeconds: 60 } });

/** Surroundings in which those pods are seen of a Run of an Agent with three. */
export function seenOf(members: readonly Member[], seen: Partial<RunObserved> = {}): RunObserved {
  return { ...NOTHING_SEEN, agent: AGENT, revision: revisionOf(AGENT), members, ...seen };
}

/** The index at the end of the name of a pod. */
export function indexIn(name: string): number {
  return Number(name.split('-').at(-1));
}
