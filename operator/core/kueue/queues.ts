// SPDX-License-Identifier: Apache-2.0
import type { GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import { API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import type { GPUClass } from '../agent/agent.ts';
import type { KubeObject } from '../object.ts';
import { formatQuantity, MILLI, parseQuantity, quantityFormat } from '../quota/quantity.ts';
import { ownedMetadata, type Tenant } from '../tenant/tenant.ts';
import { isDecidedByKueue, KUEUE_GROUP, type KueueSettings, QUEUE_NAME } from './kueue.ts';

/** What the queues of a tenant follow from. */
export interface QueueInput {
  readonly kueue: KueueSettings;
  /** Namespaces that the tenant holds. */
  readonly namespaces: readonly string[];
  /** Those that its quotas name, as far as they exist. */
  readonly gpuClasses: ReadonlyMap<string, GPUClassSpec>;
  /** By plan; one where it is left out. */
  readonly planWeights?: ReadonlyMap<string, number> | undefined;
}

/** Name of the ClusterQueue of a tenant. */
export function clusterQueueName({ metadata }: KubeObject): string {
  return `${MANAGED_BY}-${metadata.name}`;
}

/** Name of the ResourceFlavor of a GPU class; of cores and memory without one. Names of classes have no dots. */
export function flavorName(kueue: KueueSettings, gpuClass?: string): string {
  if (gpuClass === undefined) return kueue.defaultFlavor ?? MANAGED_BY;
  return kueue.flavors.get(gpuClass) ?? `${MANAGED_BY}-${gpuClass}`;
}

/** ResourceFlavors that we make, of those that the ClusterQueue of a tenant names. */
export function ownFlavors({ kueue, gpuClasses }: QueueInput): readonly string[] {
  const named = [...countedClasses(gpuClasses).keys()].filter((name) => !kueue.flavors.has(name));
  const ofCompute = kueue.defaultFlavor === undefined ? [flavorName(kueue)] : [];
  return [...ofCompute, ...named.map((name) => flavorName(kueue, name))];
}

/** The queues of a tenant: the flavor that all share, its ClusterQueue, and a LocalQueue in each of its namespaces. */
export function desiredQueues(tenant: Tenant, input: QueueInput): readonly KubeObject[] {
  const { kueue, namespaces } = input;
  const localQueues = namespaces.toSorted().map((namespace) => ({
    apiVersion: apiVersionOf(kueue),
    kind: 'LocalQueue',
    metadata: ownedMetadata(tenant, { namespace, name: QUEUE_NAME }),
    spec: { clusterQueue: clusterQueueName(tenant) },
  }));
  const shared = kueue.defaultFlavor === undefined ? [defaultFlavor(kueue)] : [];
  return [...shared, desiredClusterQueue(tenant, input), ...localQueues];
}

/** Of no tenant: a flavor without labels, which every node is of. */
function defaultFlavor(kueue: KueueSettings): KubeObject {
  return {
    apiVersion: apiVersionOf(kueue),
    kind: 'ResourceFlavor',
    metadata: { name: flavorName(kueue), labels: { [LABELS.managedBy]: MANAGED_BY } },
    spec: {},
  };
}

/** Labels that a ResourceFlavor can have. */
const MAX_NODE_LABELS = 8;

/** The ResourceFlavor of a GPU class as it is to be; undefined where that is not ours to say. `live`: what bears its name. */
export function flavorToApply(
  gpuClass: GPUClass,
  kueue: KueueSettings,
  live: KubeObject | undefined,
): KubeObject | undefined {
  return live !== undefined && isForeignFlavor(live) ? undefined : desiredFlavor(gpuClass, kueue);
}

/**
 * The ResourceFlavor of a GPU class, if it is ours to make. It has the labels of the nodes, by which Kueue tells the flavors of one resource
 * apart, since pods of Runs select nodes by them. It has no tolerations: Kueue would give these to pods that are of no Run as well.
 */
function desiredFlavor({ metadata, spec }: GPUClass, kueue: KueueSettings): KubeObject | undefined {
  const { name, uid = '' } = metadata;
  if (!isDecidedByKueue({ isServed: true, ...kueue }, spec) || kueue.flavors.has(name)) return undefined;
  const nodeLabels = Object.entries(spec.nodeSelector ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, MAX_NODE_LABELS);
  return {
    apiVersion: apiVersionOf(kueue),
    kind: 'ResourceFlavor',
    metadata: {
      name: flavorName(kueue, name),
      labels: { [LABELS.managedBy]: MANAGED_BY },
      ownerReferences: [
        { apiVersion: API_VERSION, kind: 'GPUClass', name, uid, controller: true, blockOwnerDeletion: false },
      ],
    },
    spec: nodeLabels.length > 0 ? { nodeLabels: Object.fromEntries(nodeLabels) } : {},
  };
}

function desiredClusterQueue(tenant: Tenant, input: QueueInput): KubeObject {
  const { kueue, planWeights } = input;
  const weight = planWeights?.get(tenant.spec.plan ?? '') ?? 1;
  return {
    apiVersion: apiVersionOf(kueue),
    kind: 'ClusterQueue',
    metadata: ownedMetadata(tenant, { name: clusterQueueName(tenant) }),
    spec: {
      [kueue.version === 'v1beta1' ? 'cohort' : 'cohortName']: kueue.cohort,
      namespaceSelector: { matchLabels: { [LABELS.tenant]: tenant.metadata.name } },
      resourceGroups: [computeGroup(tenant, input), ...deviceGroups(tenant, input)],
      // Who lent something gets it back; which of its own Runs a tenant has make room, its ledger decides.
      preemption: { reclaimWithinCohort: 'Any', withinClusterQueue: 'Never' },
      stopPolicy: stopPolicyOf(tenant.spec),
      fairSharing: { weight: String(weight) },
    },
  };
}

function stopPolicyOf({ suspended, suspendPolicy }: TenantSpec): string {
  if (!suspended) return 'None';
  return suspendPolicy === 'Pause' ? 'HoldAndDrain' : 'Hold';
}

/** What every pod may ask for. Kueue does not admit a pod that asks for what its queue does not name. */
const ALWAYS_COVERED: Readonly<Record<string, string>> = {
  // What a tenant has no quota of is not held back: more than any cluster has, and little enough to be added up over all tenants.
  cpu: '1M',
  memory: '1Pi',
  'ephemeral-storage': '1Pi',
};

function computeGroup({ spec }: Tenant, { kueue }: QueueInput): object {
  const { compute = {}, objects = {} } = spec.quotas ?? {};
  const limited = new Map<string, string | number>();
  for (const name of Object.keys(ALWAYS_COVERED)) {
    const least = leastOf([compute[name], compute[`requests.${name}`]]);
    if (least !== undefined) limited.set(name, least);
  }
  for (const [key, value] of Object.entries(compute))
    if (key.startsWith('hugepages-')) limited.set(key, value);
  const pods = leastOf([objects['pods'], objects['count/pods']]);
  if (pods !== undefined) limited.set('pods', pods);
  const unlimited = Object.entries(ALWAYS_COVERED).filter(([name]) => !limited.has(name));
  const resources = [
    ...[...limited].map(([name, value]) => shareOf(name, value, kueue)),
    // Nobody else counts on what is there in name only.
    ...unlimited.map(([name, nominalQuota]) => ({
      name,
      nominalQuota,
      borrowingLimit: '0',
      lendingLimit: '0',
    })),
  ].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return groupOf([{ name: flavorName(kueue), resources }]);
}

/** One group for each resource, with a flavor for each class of the tenant that has it. */
function deviceGroups({ spec }: Tenant, { kueue, gpuClasses }: QueueInput): readonly object[] {
  const classes = countedClasses(gpuClasses);
  const wanted = (spec.quotas?.gpus ?? [])
    .filter((gpu) => classes.has(gpu.class))
    .toSorted((a, b) => (a.class < b.class ? -1 : 1));
  const byResource = Map.groupBy(wanted, (gpu) => classes.get(gpu.class) ?? '');
  return [...byResource]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([resource, gpus]) =>
      groupOf(
        gpus.map((gpu) => ({
          name: flavorName(kueue, gpu.class),
          resources: [shareOf(resource, gpu.count, kueue)],
        })),
      ),
    );
}

/** Extended resources of those classes that Kueue decides on, by class. */
function countedClasses(classes: ReadonlyMap<string, GPUClassSpec>): ReadonlyMap<string, string> {
  const found = [...classes].flatMap(([name, { resourceName }]) =>
    resourceName === undefined ? [] : [[name, resourceName] as const],
  );
  return new Map(found);
}

interface Flavor {
  readonly name: string;
  readonly resources: readonly { readonly name: string }[];
}

function groupOf(flavors: readonly Flavor[]): object {
  return { coveredResources: (flavors[0]?.resources ?? []).map(({ name }) => name), flavors };
}

/** The quota of a tenant as Kueue has it: what is its own, and what it may borrow besides. Together they are never more than the quota. */
function shareOf(name: string, value: string | number, { guaranteedPercent }: KueueSettings) {
  const total = parseQuantity(value) ?? 0n;
  const part = (total * BigInt(guaranteedPercent)) / 100n;
  // Of anything but cores, a part of a unit is none.
  const nominal = name === 'cpu' ? part : part - (part % MILLI);
  const format = quantityFormat(value);
  return {
    name,
    nominalQuota: formatQuantity(nominal, format),
    borrowingLimit: formatQuantity(total - nominal, format),
  };
}

function leastOf(values: readonly (string | number | undefined)[]): string | number | undefined {
  const given = values.filter((value) => value !== undefined);
  return given.toSorted((a, b) => Number((parseQuantity(a) ?? 0n) - (parseQuantity(b) ?? 0n)))[0];
}

function apiVersionOf({ version }: KueueSettings): string {
  return `${KUEUE_GROUP}/${version}`;
}

/** Whether a ResourceFlavor that bears a name of ours was made by somebody else. */
export function isForeignFlavor({ metadata }: KubeObject): boolean {
  return metadata.labels?.[LABELS.managedBy] !== MANAGED_BY;
}
