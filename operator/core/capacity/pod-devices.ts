// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { defined, type KubeObject } from '../object.ts';
import { MILLI, parseQuantity } from '../quota/quantity.ts';

/** Amounts by extended resource. */
export type DeviceCounts = Readonly<Record<string, number>>;

/** Devices that a pod holds on its node. */
export interface HeldDevices {
  readonly node: string;
  readonly counts: DeviceCounts;
  /** Set for pods of Runs. */
  readonly runUid: string | undefined;
}

/** A pod of a Run of many that has ended: its devices come back to the Run in another attempt only. */
export interface SpentPod {
  readonly runUid: string;
  readonly attempt: number;
}

interface Container {
  readonly restartPolicy?: string;
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
}

interface PodSpec {
  readonly nodeName?: string;
  readonly activeDeadlineSeconds?: number;
  readonly schedulingGates?: readonly { readonly name: string }[];
  readonly containers?: readonly Container[];
  readonly initContainers?: readonly Container[];
}

/** The whole number that a quantity is; 0 for what is none. */
export function wholeNumber(quantity: string): number {
  return Number((parseQuantity(quantity) ?? 0n) / MILLI);
}

/**
 * Extended resources that a pod requests as a whole, as the scheduler counts them: all containers and sidecars together, or
 * the largest init container with the sidecars before it, whichever is more.
 */
export function requestedDevices({ spec }: KubeObject): DeviceCounts {
  const { containers = [], initContainers = [] } = (spec ?? {}) as PodSpec;
  let sidecars: DeviceCounts = {};
  let peak: DeviceCounts = {};
  for (const one of initContainers) {
    const wanted = combine(sidecars, requestsOf(one), (a, b) => a + b);
    peak = combine(peak, wanted, Math.max);
    if (one.restartPolicy === 'Always') sidecars = wanted;
  }
  const main = containers.reduce((sum, one) => combine(sum, requestsOf(one), (a, b) => a + b), sidecars);
  return combine(main, peak, Math.max);
}

/**
 * The pod with its devices in place of most of its spec; `devices` is left out where it has none, or no node yet. What remains is
 * small, and all that is read of pods.
 */
export function withDevices(pod: KubeObject): KubeObject {
  const { nodeName = '', activeDeadlineSeconds, schedulingGates } = (pod['spec'] ?? {}) as PodSpec;
  const counts = nodeName === '' ? {} : requestedDevices(pod);
  const devices = Object.keys(counts).length === 0 ? {} : { devices: { node: nodeName, counts } };
  const spec = defined({ nodeName: nodeName || undefined, activeDeadlineSeconds, schedulingGates });
  return { ...pod, spec, ...devices };
}

/** How many devices there are in all. */
export function sumOfDevices(counts: DeviceCounts): number {
  return Object.values(counts).reduce((sum, one) => sum + one, 0);
}

/** Whether a pod says something of devices: it holds some, or has to do with them as one of a Run of many. */
export function tellsOfDevices(pod: KubeObject): boolean {
  return pod['devices'] !== undefined || gangOf(pod) !== undefined;
}

/** The attempt of a pod with devices of a Run of many, if that pod has ended. */
export function spentPod(pod: KubeObject): SpentPod | undefined {
  return hasEnded(pod) ? gangOf(pod) : undefined;
}

function gangOf({ metadata: { labels = {} } }: KubeObject): SpentPod | undefined {
  const { [LABELS.runUid]: runUid, [LABELS.attempt]: attempt, [LABELS.gpuClass]: gpuClass } = labels;
  if (runUid === undefined || attempt === undefined || gpuClass === undefined) return undefined;
  return { runUid, attempt: Number(attempt) };
}

function hasEnded(pod: KubeObject): boolean {
  const { phase } = (pod['status'] ?? {}) as { readonly phase?: string };
  return phase === 'Succeeded' || phase === 'Failed';
}

/** What a pod that went through `withDevices` holds; nothing once it has ended. */
export function heldDevices(pod: KubeObject): HeldDevices | undefined {
  const devices = pod['devices'] as Pick<HeldDevices, 'node' | 'counts'> | undefined;
  if (devices === undefined || hasEnded(pod)) return undefined;
  return { ...devices, runUid: pod.metadata.labels?.[LABELS.runUid] };
}

/** Of extended resources requests and limits are the same; either may be left out. */
function requestsOf({ resources }: Container): DeviceCounts {
  const stated = { ...resources?.limits, ...resources?.requests };
  const extended = Object.entries(stated).filter(([name]) => name.includes('/'));
  return Object.fromEntries(
    extended.map(([name, value]) => [name, wholeNumber(value)] as const).filter(([, count]) => count > 0),
  );
}

function combine(a: DeviceCounts, b: DeviceCounts, by: (x: number, y: number) => number): DeviceCounts {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, by(a[name] ?? 0, b[name] ?? 0)]));
}
