// SPDX-License-Identifier: Apache-2.0
import { GPU_CLASS_REASONS, type GPUClassStatus, MAX_POOLS } from '#crds/v1alpha1/gpu-class';
import type { GPUClass } from '../agent/agent.ts';
import { setStanding, type Standing, toInstant } from '../conditions.ts';
import { keptForMs } from '../figures.ts';
import { DONE, type Plan, statusOnly } from '../plan.ts';
import { DeviceRoom } from './room.ts';
import type { ClassSupply, DevicePlace, Supply } from './supply.ts';

/** Devices of a class, on all its nodes or on those of a pool. */
export interface DeviceSums {
  readonly nodes: number;
  readonly capacity: number;
  readonly allocated: number;
  readonly free: number;
  readonly largestFree: number;
}

/** Decides what a GPUClass says of its devices. Makes nothing. */
export function planGPUClass(gpuClass: GPUClass, supply: Supply, now: Date): Plan<GPUClassStatus> {
  const generation = gpuClass.metadata.generation ?? 0;
  const found = supply.classes.get(gpuClass.metadata.name);
  const sums = sumDevices(found?.places ?? [], supply);
  const pools = [...Map.groupBy(found?.places ?? [], ({ node }) => node.pool)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, MAX_POOLS)
    .map(([name, places]) => ({ name, ...sumDevices(places, supply) }));
  const { counts, result } = countsOf(gpuClass, { ...sums, pools }, now);
  const standing = standingOf(gpuClass, found, sums.nodes);
  const conditions = [...setStanding(gpuClass.status?.conditions ?? [], standing, { generation, now })];
  return statusOnly({ observedGeneration: generation, ...counts, conditions }, result);
}

/** Devices on `places`. */
export function sumDevices(places: readonly DevicePlace[], supply: Supply): DeviceSums {
  const room = new DeviceRoom(supply);
  const free = places.map((place) => room.freeOn(place));
  const stocks = places.flatMap((place) => place.stocks.map((key) => supply.stocks.get(key)));
  return {
    nodes: places.length,
    capacity: sum(stocks.map((stock) => stock?.capacity ?? 0)),
    allocated: sum(stocks.map((stock) => stock?.used ?? 0)),
    free: sum(free),
    largestFree: free.reduce((a, b) => Math.max(a, b), 0),
  };
}

type Figures = { readonly [key in keyof DeviceSums]?: number | undefined };
type Counts = DeviceSums & Pick<GPUClassStatus, 'pools'>;

/** The figures to write: those of now, or the old ones until they may be written again. */
function countsOf({ status = {} }: GPUClass, counts: Counts, now: Date) {
  const { countedAt } = status;
  const waitMs = keptForMs({ at: countedAt, isSame: textOf(status) === textOf(counts) }, now);
  if (waitMs === 0) return { counts: { ...counts, countedAt: toInstant(now) }, result: DONE };
  const result = { kind: 'requeueAfter', afterMs: waitMs, why: 'to write the counts' } as const;
  const { observedGeneration: _observed, conditions: _conditions, ...kept } = status;
  return { counts: kept, result: waitMs === Infinity ? DONE : result };
}

/** The same text for the same figures, in whatever order they were stored. */
function textOf(counts: Figures & Pick<GPUClassStatus, 'pools'>): string {
  const rows = (counts.pools ?? []).map((one) => [one.name, ...figuresOf(one)]);
  return JSON.stringify([figuresOf(counts), rows]);
}

function figuresOf(one: Figures): readonly unknown[] {
  return [one.nodes, one.capacity, one.allocated, one.free, one.largestFree];
}

function standingOf({ spec }: GPUClass, found: ClassSupply | undefined, nodes: number): Standing {
  if (found?.uncounted === 'DeviceClassNotFound') {
    const message = `spec.deviceClassName: there is no DeviceClass ${spec.deviceClassName}; a driver or the platform team makes it`;
    return { kind: 'stalled', reason: GPU_CLASS_REASONS.DeviceClassNotFound, message };
  }
  if (found?.uncounted === 'NotCounted') {
    const message =
      'its devices cannot be counted by node (their DeviceClass selects by more than driver and text attributes, or they share parts or hang on no one node): Runs do not wait for free ones in the queue, their pods do';
    return { kind: 'ready', reason: GPU_CLASS_REASONS.NotCounted, message };
  }
  if (nodes > 0) {
    return { kind: 'ready', reason: GPU_CLASS_REASONS.Available, message: 'nodes have devices of the class' };
  }
  if (found?.isOnDemand === true) {
    const message = 'no node has any now; an autoscaler is to make one for a pod that waits';
    return { kind: 'ready', reason: GPU_CLASS_REASONS.OnDemand, message };
  }
  const what = spec.resourceName ?? `devices of DeviceClass ${spec.deviceClassName}`;
  const message = `no node with ${what} fits spec.nodeSelector and spec.tolerations; Runs of the class wait until one comes`;
  return { kind: 'reconciling', reason: GPU_CLASS_REASONS.NoNodes, message };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
