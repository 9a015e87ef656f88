// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { GPUClass } from '../agent/agent.ts';
import type { Condition, KubeObject } from '../object.ts';
import { isPodFinished } from './outcome.ts';
import type { Cause } from './status.ts';

/** How long a pod may look for devices that somebody else took before it: then its Run is better off in the queue. */
const MISSED_MS = 30_000;

/** A Run that was admitted to devices that its pod does not find. */
const BACK_TO_QUEUE: Cause = {
  reason: RUN_REASONS.NoFreeDevices,
  message:
    'the devices that it was admitted to were taken by another workload; it goes back to the queue and spends no retry',
};

/**
 * Since when the pod of a Run waits for nothing but devices, in milliseconds; undefined when it does not, and for a class whose
 * nodes are made on demand, where a pod that waits is what makes them.
 */
export function missesDevicesSince(
  pods: readonly KubeObject[],
  gpuClass: GPUClass | undefined,
): number | undefined {
  if (gpuClass === undefined || gpuClass.spec.provisioning === 'OnDemand') return undefined;
  const pod = pods.find((one) => !isPodFinished(one) && one.metadata.deletionTimestamp === undefined);
  const { conditions = [] } = (pod?.['status'] ?? {}) as { readonly conditions?: readonly Condition[] };
  const unscheduled = conditions.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
  return unscheduled !== undefined && lacksDevices(unscheduled, gpuClass)
    ? Date.parse(unscheduled.lastTransitionTime)
    : undefined;
}

/** Whether the words of the scheduler name the devices: what else is missing does not come back by waiting in our queue. */
function lacksDevices({ message }: Condition, { spec: { resourceName } }: GPUClass): boolean {
  const words = resourceName === undefined ? 'cannot allocate all claims' : `Insufficient ${resourceName}`;
  return message.includes(words);
}

/** How much longer a pod may look for devices, in milliseconds; infinite when it has or wants none. */
export function lookingMs(sinceMs: number | undefined, now: Date): number {
  return sinceMs === undefined ? Infinity : sinceMs + MISSED_MS - now.getTime();
}

/** Why an admitted Run is to go back to the queue, if it is time to. */
export function missedDevices(sinceMs: number | undefined, now: Date): Cause | undefined {
  return lookingMs(sinceMs, now) <= 0 ? BACK_TO_QUEUE : undefined;
}
