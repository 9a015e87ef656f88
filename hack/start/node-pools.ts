// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '#operator/core/object';
import { at, itemsAt, type Snapshot, textAt } from './snapshot.ts';

/** A node pool, and how many of each kind of device it has and gives out. */
export interface PoolUse {
  readonly name: string;
  readonly nodes: number;
  readonly readyNodes: number;
  /** Pods that are not finished. */
  readonly pods: number;
  readonly devices: readonly DeviceUse[];
}

/** Devices of one kind. */
export interface DeviceUse {
  /** Name of the extended resource, or of the driver. */
  readonly name: string;
  readonly used: number;
  readonly total: number;
}

/** Use of every node pool, by name. Counts extended resources of pods, and devices of resource claims. */
export function poolUse(snapshot: Snapshot): readonly PoolUse[] {
  const pools = new Map<string, KubeObject[]>();
  for (const node of snapshot.nodes) {
    const pool = node.metadata.labels?.[LABELS.nodePool];
    if (pool !== undefined) pools.set(pool, [...(pools.get(pool) ?? []), node]);
  }
  return [...pools]
    .map(([name, nodes]) => describePool(name, nodes, snapshot))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function describePool(name: string, nodes: readonly KubeObject[], snapshot: Snapshot): PoolUse {
  const names = new Set(nodes.map((node) => node.metadata.name));
  const pods = snapshot.pods.filter(
    (pod) => names.has(textAt(pod, ['spec', 'nodeName'])) && !isFinished(pod),
  );
  return {
    name,
    nodes: nodes.length,
    readyNodes: nodes.filter(isReadyNode).length,
    pods: pods.length,
    devices: [...extendedResources(nodes, pods), ...claimedDevices(names, snapshot)],
  };
}

function isFinished(pod: KubeObject): boolean {
  return ['Succeeded', 'Failed'].includes(textAt(pod, ['status', 'phase']));
}

function isReadyNode(node: KubeObject): boolean {
  const conditions = itemsAt(node, 'status', 'conditions');
  return conditions.some((one) => at(one, 'type') === 'Ready' && at(one, 'status') === 'True');
}

function extendedResources(nodes: readonly KubeObject[], pods: readonly KubeObject[]): readonly DeviceUse[] {
  const totals = new Map<string, number>();
  for (const node of nodes) {
    for (const [name, amount] of Object.entries(at(node, 'status', 'allocatable') ?? {})) {
      if (name.includes('/')) totals.set(name, (totals.get(name) ?? 0) + Number(amount));
    }
  }
  return [...totals].map(([name, total]) => ({
    name,
    used: sum(pods.map((pod) => requested(pod, name))),
    total,
  }));
}

/** How many of an extended resource a pod asks for; requests and limits of these are always the same. */
export function requested(pod: KubeObject, resource: string): number {
  const containers = itemsAt(pod, 'spec', 'containers');
  return sum(containers.map((one) => Number(textAt(one, ['resources', 'limits', resource], '0'))));
}

function claimedDevices(nodes: ReadonlySet<string>, { slices, claims }: Snapshot): readonly DeviceUse[] {
  const here = slices.filter((slice) => nodes.has(textAt(slice, ['spec', 'nodeName'])));
  const drivers = new Set(here.map((slice) => textAt(slice, ['spec', 'driver'])));
  const pools = new Set(here.map((slice) => textAt(slice, ['spec', 'pool', 'name'])));
  const given = claims
    .flatMap((claim) => itemsAt(claim, 'status', 'allocation', 'devices', 'results'))
    .filter((result) => pools.has(textAt(result, ['pool'])));
  return [...drivers].map((name) => ({
    name,
    used: given.filter((result) => at(result, 'driver') === name).length,
    total: sum(
      here
        .filter((slice) => at(slice, 'spec', 'driver') === name)
        .map((slice) => itemsAt(slice, 'spec', 'devices').length),
    ),
  }));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
