// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { defined, type KubeObject } from '../../object.ts';
import { CONTAINER_NAME } from './pod.ts';

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: object;
  readonly terminated?: { readonly exitCode: number; readonly reason?: string };
}

interface ContainerStatus {
  readonly name: string;
  readonly ready?: boolean;
  readonly image?: string;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
}

interface PodStatus {
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason?: string;
    readonly message?: string;
  }[];
  readonly containerStatuses?: readonly ContainerStatus[];
}

/** How every container begins. */
const USUAL_WAITS: ReadonlySet<string> = new Set(['', 'ContainerCreating', 'PodInitializing']);
/** A kubelet goes from one to the other and back, in turns. */
const PULL_FAILURES: ReadonlySet<string> = new Set(['ErrImagePull', 'ImagePullBackOff']);

/** A watch keeps of the pods of services what is read here. */
export function withoutPodSpec(pod: KubeObject): KubeObject {
  const { name, ...others } = pod.metadata;
  const { namespace, uid, resourceVersion, labels, deletionTimestamp } = others;
  const { conditions = [], containerStatuses = [] } = statusOf(pod);
  const metadata = { name, ...defined({ namespace, uid, resourceVersion, labels, deletionTimestamp }) };
  const kept = {
    conditions: conditions.filter(({ type, status }) => type === 'PodScheduled' && status === 'False'),
    containerStatuses: containerStatuses.map(({ name: container, ready, image, state, lastState }) => ({
      name: container,
      ready,
      image,
      state: stateWithoutTimes(state),
      lastState: stateWithoutTimes(lastState),
    })),
  };
  const { apiVersion, kind } = pod;
  return { apiVersion, kind, metadata, status: kept };
}

function stateWithoutTimes(state: ContainerState | undefined): ContainerState | undefined {
  const { waiting, terminated } = state ?? {};
  if (waiting !== undefined) return { waiting };
  if (terminated === undefined) return undefined;
  const { exitCode, reason } = terminated;
  return { terminated: { exitCode, ...defined({ reason }) } };
}

/**
 * Why a pod does not come to take requests: of the active revision, if one of these has anything to say. The same as long as the
 * same is wrong: what changes from try to try (times, counts, in which state of its waiting a pod is) is left out.
 */
export function podTrouble(pods: readonly KubeObject[], revision: string): string | undefined {
  const staying = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const recent = staying.filter(({ metadata }) => metadata.labels?.[LABELS.revision] === revision);
  return firstTrouble(recent) ?? firstTrouble(staying);
}

function firstTrouble(pods: readonly KubeObject[]): string | undefined {
  return pods.flatMap((pod) => troubleOf(pod) ?? []).toSorted()[0];
}

function troubleOf(pod: KubeObject): string | undefined {
  const { conditions = [], containerStatuses = [] } = statusOf(pod);
  const scheduled = conditions.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
  if (scheduled !== undefined) return `a pod waits for a node: ${scheduled.message ?? 'not scheduled yet'}`;
  const container = containerStatuses.find(({ name }) => name === CONTAINER_NAME);
  return container === undefined || container.ready === true ? undefined : containerTrouble(container);
}

function containerTrouble({ state, lastState, image }: ContainerStatus): string | undefined {
  const ended = state?.terminated ?? lastState?.terminated;
  const isAgain = state?.waiting !== undefined;
  if (ended !== undefined && (ended.exitCode !== 0 || isAgain)) return crashed(ended);
  return waitTrouble(state?.waiting ?? {}, image);
}

function waitTrouble(
  { reason = '', message = '' }: NonNullable<ContainerState['waiting']>,
  image = '',
): string | undefined {
  if (USUAL_WAITS.has(reason)) return undefined;
  if (!PULL_FAILURES.has(reason)) return `a container cannot start: ${reason}: ${message}`;
  return `ImagePullBackOff: the image ${image} cannot be pulled; the Events of its pods say why`;
}

function crashed({ exitCode, reason }: NonNullable<ContainerState['terminated']>): string {
  if (reason === 'OOMKilled') {
    return 'CrashLoopBackOff: a container used more memory than its limit (spec.container.resources.limits.memory) and is started again';
  }
  return `CrashLoopBackOff: a container ended with exit code ${exitCode} and is started again; its log says why`;
}

function statusOf(pod: KubeObject): PodStatus {
  return (pod['status'] as PodStatus | undefined) ?? {};
}
