// SPDX-License-Identifier: Apache-2.0
import type { GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import { MANAGED_BY } from '#crds/v1alpha1/names';

/** The API group of Kueue. */
export const KUEUE_GROUP = 'kueue.x-k8s.io';

/** Versions of it that we know, the one that we like best first. */
export const KUEUE_VERSIONS = ['v1beta2', 'v1beta1'] as const;
/** One of these. */
export type KueueVersion = (typeof KUEUE_VERSIONS)[number];

/** By what Kueue knows its own, as its integration of plain pods has it. */
export const KUEUE_MARKS = {
  /** Label of a pod: the LocalQueue of its namespace that it waits in. */
  queue: 'kueue.x-k8s.io/queue-name',
  /** Label of a pod: the WorkloadPriorityClass that it is ordered by there. */
  priority: 'kueue.x-k8s.io/priority-class',
  /** Label that its webhook puts on a pod: without it, its controller does not look at the pod. */
  managed: 'kueue.x-k8s.io/managed',
  /** Scheduling gate of a pod that is not admitted. */
  gate: 'kueue.x-k8s.io/admission',
  /** Finalizer that its webhook puts on a pod. */
  finalizer: 'kueue.x-k8s.io/managed',
} as const;

/** Condition of a pod that Kueue ends: it is told before the pod is deleted. */
export const KUEUE_EVICTED = 'TerminationTarget';

/** Name of the LocalQueue that is made in each namespace of a tenant. Nobody else can make what bears it there. */
export const QUEUE_NAME = MANAGED_BY;

/** Kueue, as it is served, and what the platform wants of it. */
export interface KueueSettings {
  readonly version: KueueVersion;
  /** Cohort of the ClusterQueues of all tenants. */
  readonly cohort: string;
  /** How much of its quotas a tenant can always have; the rest it borrows from who has no use for it. */
  readonly guaranteedPercent: number;
  /** ResourceFlavor of cores and memory that the platform has made; undefined: we make one. */
  readonly defaultFlavor?: string;
  /** ResourceFlavors that the platform has made, by GPU class. We make those of the others. */
  readonly flavors: ReadonlyMap<string, string>;
  /** Least priority of the Runs that are of a WorkloadPriorityClass, by its name. */
  readonly priorityClasses: ReadonlyMap<string, number>;
}

/** Who decides on capacity where Kueue is to: it, or nobody as long as its kinds are not served. */
export type Kueue = ({ readonly isServed: true } & KueueSettings) | { readonly isServed: false };

/**
 * Whether Kueue decides on a Run that asks for devices of a class, or for none. What dynamic resource allocation gives is counted by Kueue
 * only where its own configuration names the DeviceClass, which nobody but its administrator knows: we count these ourselves.
 */
export function isDecidedByKueue(kueue: Kueue | undefined, gpuClass: GPUClassSpec | undefined): boolean {
  return kueue?.isServed === true && gpuClass?.deviceClassName === undefined;
}

/** Where a pod is to wait. */
export interface QueuePlace {
  readonly name: string;
  readonly priorityClass?: string;
}

/** Where the pod of a Run of that priority waits. */
export function queueFor(priority: number, { priorityClasses }: KueueSettings): QueuePlace {
  const [best] = [...priorityClasses]
    .filter(([, least]) => least <= priority)
    .toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return best === undefined ? { name: QUEUE_NAME } : { name: QUEUE_NAME, priorityClass: best[0] };
}
