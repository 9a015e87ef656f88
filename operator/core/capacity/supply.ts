// SPDX-License-Identifier: Apache-2.0
import type { GPUClass } from '../agent/agent.ts';
import type { KubeObject } from '../object.ts';
import { type DeviceNode, isOfClass, readNode } from './node.ts';
import { heldDevices, spentPod, sumOfDevices } from './pod-devices.ts';
import { claimedDevices, deviceSelection, type SliceDevice, sliceDevices } from './resource-slices.ts';

/** What devices are counted from, as seen last. */
export interface SupplySources {
  readonly nodes: readonly KubeObject[];
  /** That went through `withDevices`. */
  readonly pods: readonly KubeObject[];
  readonly gpuClasses: readonly GPUClass[];
  readonly deviceClasses: readonly KubeObject[];
  readonly slices: readonly KubeObject[];
  readonly claims: readonly KubeObject[];
  /** Whether somebody else decides who has devices of a class; undefined: of none. */
  readonly isElsewhere?: (gpuClass: GPUClass['spec']) => boolean;
}

/**
 * Devices of one class on one node. They are kept in stocks, and two classes that name the same devices name the same stocks:
 * one per node and extended resource, or one per device of dynamic resource allocation.
 */
export interface DevicePlace {
  readonly node: DeviceNode;
  readonly stocks: readonly string[];
}

/** The devices of a class. */
export interface ClassSupply {
  /** Nodes that have some; none for a class that cannot be counted. */
  readonly places: readonly DevicePlace[];
  /** Why they cannot be counted, if so: then nobody waits for them. */
  readonly uncounted?: 'DeviceClassNotFound' | 'NotCounted';
  readonly isOnDemand: boolean;
  /** Whether somebody else decides who has them: then nobody waits for them here. */
  readonly isElsewhere?: boolean;
}

/** Devices in one stock. */
export interface Stock {
  readonly capacity: number;
  /** Held by pods, or by claims. */
  readonly used: number;
  /** Of these, by what does not belong to a Run. */
  readonly foreign: number;
  /** Whether its node takes pods. */
  readonly isUsable: boolean;
}

/** All devices of the cluster at one moment. */
export interface Supply {
  readonly classes: ReadonlyMap<string, ClassSupply>;
  readonly stocks: ReadonlyMap<string, Stock>;
  /** By uid of Runs: how many of their devices are among the used ones. */
  readonly seated: ReadonlyMap<string, number>;
  /** By `attemptKey`: how many pods with devices of a Run of many have ended. */
  readonly spent: ReadonlyMap<string, number>;
}

/** Counts the devices of all classes. */
export function countSupply(sources: SupplySources): Supply {
  const nodes = sources.nodes.map(readNode);
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const devices = sliceDevices(sources.slices);
  const stocks: Stocks = new Map();
  const seated = new Map<string, number>();
  stockNodes(stocks, nodes);
  holdByPods(stocks, seated, sources.pods);
  const claimed = claimedDevices(sources.claims);
  for (const { id, node = '' } of devices) {
    const stock = { capacity: 1, used: 0, foreign: 0, isUsable: byName.get(node)?.isUsable === true };
    if (claimed.has(id)) hold(stock, 1, claimed.get(id));
    stocks.set(id, stock);
  }
  for (const runUid of claimed.values()) if (runUid !== undefined) add(seated, runUid, 1);
  const found = { nodes, byName, devices, deviceClasses: sources.deviceClasses };
  const classes = sources.gpuClasses.map((one) => {
    const isElsewhere = sources.isElsewhere?.(one.spec) === true;
    return [one.metadata.name, { ...supplyOf(one, found), ...(isElsewhere && { isElsewhere }) }] as const;
  });
  return { classes: new Map(classes), stocks, seated, spent: spentBy(sources.pods) };
}

/** Names an attempt of a Run among all. */
export function attemptKey(runUid: string, attempt: number): string {
  return `${runUid}/${attempt}`;
}

function spentBy(pods: readonly KubeObject[]): ReadonlyMap<string, number> {
  const spent = new Map<string, number>();
  for (const one of pods.map(spentPod).filter((pod) => pod !== undefined)) {
    add(spent, attemptKey(one.runUid, one.attempt), 1);
  }
  return spent;
}

function add(sums: Map<string, number>, key: string, count: number): void {
  sums.set(key, (sums.get(key) ?? 0) + count);
}

/** Stocks while they are being counted. */
type Stocks = Map<string, { -readonly [key in keyof Stock]: Stock[key] }>;

function stockNodes(stocks: Stocks, nodes: readonly DeviceNode[]): void {
  for (const { name, resources, isUsable } of nodes) {
    for (const [resource, capacity] of resources) {
      stocks.set(stockOf(name, resource), { capacity, used: 0, foreign: 0, isUsable });
    }
  }
}

function holdByPods(stocks: Stocks, seated: Map<string, number>, pods: readonly KubeObject[]): void {
  for (const { node, counts, runUid } of pods.map(heldDevices).filter((one) => one !== undefined)) {
    for (const [resource, count] of Object.entries(counts)) {
      hold(stocks.get(stockOf(node, resource)), count, runUid);
    }
    if (runUid !== undefined) add(seated, runUid, sumOfDevices(counts));
  }
}

/** `stock` is undefined for a pod on a node that is gone, or that does not offer the resource any more. */
function hold(
  stock: { used: number; foreign: number } | undefined,
  count: number,
  runUid: string | undefined,
): void {
  if (stock === undefined) return;
  stock.used += count;
  if (runUid === undefined) stock.foreign += count;
}

interface Found {
  readonly nodes: readonly DeviceNode[];
  readonly byName: ReadonlyMap<string, DeviceNode>;
  readonly devices: readonly SliceDevice[];
  readonly deviceClasses: readonly KubeObject[];
}

function supplyOf({ spec }: GPUClass, found: Found): ClassSupply {
  const isOnDemand = spec.provisioning === 'OnDemand';
  const { resourceName, deviceClassName } = spec;
  if (resourceName === undefined) return { ...claimSupply(spec, deviceClassName ?? '', found), isOnDemand };
  const places = found.nodes
    .filter((node) => (node.resources.get(resourceName) ?? 0) > 0 && isOfClass(node, spec))
    .map((node) => ({ node, stocks: [stockOf(node.name, resourceName)] }));
  return { places, isOnDemand };
}

function claimSupply(
  spec: GPUClass['spec'],
  deviceClassName: string,
  { byName, devices, deviceClasses }: Found,
): Pick<ClassSupply, 'places' | 'uncounted'> {
  const deviceClass = deviceClasses.find(({ metadata }) => metadata.name === deviceClassName);
  if (deviceClass === undefined) return { places: [], uncounted: 'DeviceClassNotFound' };
  const isSelected = deviceSelection(deviceClass);
  const selected = devices.filter((device) => isSelected?.(device) === true);
  if (isSelected === undefined || selected.some(({ node }) => node === undefined)) {
    return { places: [], uncounted: 'NotCounted' };
  }
  const places = [...Map.groupBy(selected, ({ node }) => node ?? '')].flatMap(([name, own]) => {
    const node = byName.get(name);
    const isPlace = node !== undefined && isOfClass(node, spec);
    return isPlace ? [{ node, stocks: own.map(({ id }) => id) }] : [];
  });
  return { places };
}

function stockOf(node: string, resource: string): string {
  return `${node} ${resource}`;
}
