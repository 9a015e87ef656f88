// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { GPUClass } from '../agent/agent.ts';
import type { Condition, KubeObject } from '../object.ts';
import { isPodFinished } from './outcome.ts';
import type { Cause } from './status.ts';

/** How long a pod may look for devices that somebody else took before it: then its Run is better off in the queue. */
const MISSED_MS = 30_000;
/** How often the count of devices is asked after that, while it says that there are some. */
const LOOK_AGAIN_MS = 15_000;

/** Devices that the pod of a Run looks for, as the scheduler says. */
export interface MissingDevices {
  /** Since when, in milliseconds. */
  readonly sinceMs: number;
  /**
   * Whether by our own count, too, no node that it may be on has enough free. The scheduler names every node: also one that never
   * has devices, beside one that only lacks cores.
   */
  readonly isShort: boolean;
}

/** A Run that was admitted to devices that its pod does not find. */
const BACK_TO_QUEUE: Cause = {
  reason: RUN_REASONS.NoFreeDevices,
  message:
    'the devices that it was admitted to were taken by another workload; it goes back to the queue and spends no retry',
};

/**
 * Since when the pod of a Run looks for a node with devices, in milliseconds, by the words of the scheduler; undefined when it
 * does not.
 */
export function missesDevicesSince(
  pod: KubeObject | undefined,
  gpuClass: GPUClass | undefined,
): number | undefined {
  if (pod === undefined || gpuClass === undefined) return undefined;
  if (isPodFinished(pod) || pod.metadata.deletionTimestamp !== undefined) return undefined;
  const { conditions = [] } = (pod['status'] ?? {}) as { readonly conditions?: readonly Condition[] };
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

/** When it is to be seen again how a pod does that looks for devices, in milliseconds; infinite when it has or wants none. */
export function lookingMs(missing: MissingDevices | undefined, now: Date): number {
  if (missing === undefined) return Infinity;
  const leftMs = missing.sinceMs + MISSED_MS - now.getTime();
  return leftMs > 0 || missing.isShort ? leftMs : LOOK_AGAIN_MS;
}

/** Why an admitted Run is to go back to the queue, if it is time to. */
export function missedDevices(missing: MissingDevices | undefined, now: Date): Cause | undefined {
  return lookingMs(missing, now) <= 0 ? BACK_TO_QUEUE : undefined;
}
