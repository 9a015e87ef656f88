// SPDX-License-Identifier: Apache-2.0

/** A quota of a ClusterQueue: of a resource, in a flavor. */
interface Quota {
  readonly name: string;
  readonly nominalQuota: string | number;
}

/** The part of a ClusterQueue that is read. */
export interface ClusterQueue {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly stopPolicy?: string;
    readonly resourceGroups?: readonly {
      readonly coveredResources: readonly string[];
      readonly flavors: readonly { readonly name: string; readonly resources: readonly Quota[] }[];
    }[];
  };
}

/** The part of a ResourceFlavor that is read. */
export interface Flavor {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeLabels?: Readonly<Record<string, string>> };
}

/** What one pod asks for, and of which nodes. */
export interface Ask {
  readonly requests: Readonly<Record<string, string>>;
  readonly nodeSelector: Readonly<Record<string, string>>;
}

/** Flavors by resource, and what is taken of them, by `<flavor> <resource>`. */
export interface Fit {
  readonly flavors: Readonly<Record<string, string>>;
  readonly takes: ReadonlyMap<string, number>;
}

const SUFFIXES: Readonly<Record<string, number>> = {
  '': 1,
  m: 0.001,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  P: 1e15,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
  Pi: 1024 ** 5,
};

function amountOf(quantity: string | number): number {
  const [, digits = '', suffix = ''] = /^([0-9.]+)([A-Za-z]*)$/.exec(String(quantity)) ?? [];
  const unit = SUFFIXES[suffix];
  if (unit === undefined) throw new Error(`a quantity that the stand-in cannot read: ${quantity}`);
  return Number(digits) * unit;
}

/** What is known beside a ClusterQueue: all flavors, and what is taken of it already. */
export interface Known {
  readonly flavors: readonly Flavor[];
  readonly taken: ReadonlyMap<string, number>;
}

/** Where a pod fits into what a ClusterQueue has of its own, beside what is taken; or why it does not, in words like Kueue's. */
export function fitInto(queue: ClusterQueue, ask: Ask, known: Known): Fit | string {
  const groups = queue.spec.resourceGroups ?? [];
  const isCovered = groups.some(({ coveredResources }) => coveredResources.includes('pods'));
  const chosen: Record<string, string> = {};
  const takes = new Map<string, number>();
  for (const [resource, quantity] of Object.entries({ ...ask.requests, ...(isCovered && { pods: '1' }) })) {
    const group = groups.find(({ coveredResources }) => coveredResources.includes(resource));
    if (group === undefined) return `resource ${resource} unavailable in ClusterQueue`;
    const flavor = group.flavors.find(({ name }) => suits(flavorOf(name, known), ask));
    if (flavor === undefined) return `no flavor of resource ${resource} matches the node selector`;
    const key = `${flavor.name} ${resource}`;
    const more = (known.taken.get(key) ?? 0) + amountOf(quantity) - nominalOf(flavor, resource);
    if (more > 1e-9)
      return `insufficient unused quota for ${resource} in flavor ${flavor.name}, ${more} more needed`;
    chosen[resource] = flavor.name;
    takes.set(key, amountOf(quantity));
  }
  return { flavors: chosen, takes };
}

function flavorOf(name: string, { flavors }: Known): Flavor | undefined {
  return flavors.find((one) => one.metadata.name === name);
}

function nominalOf({ resources }: { readonly resources: readonly Quota[] }, resource: string): number {
  return amountOf(resources.find(({ name }) => name === resource)?.nominalQuota ?? 0);
}

/** Whether the nodes that a pod selects can be of a flavor. */
function suits(flavor: Flavor | undefined, { nodeSelector }: Ask): boolean {
  const labels = Object.entries(flavor?.spec.nodeLabels ?? {});
  return flavor !== undefined && labels.every(([key, value]) => (nodeSelector[key] ?? value) === value);
}
