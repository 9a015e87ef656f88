// SPDX-License-Identifier: Apache-2.0
import type { GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import { LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { KubeObject, Resource } from '../../core/object.ts';
import { RESOURCE_QUOTA_NAME } from '../../core/quota/refusals.ts';
import { isForeign as isForeignQuota } from '../../core/quota/resource-quota.ts';
import { GUARDRAILS_CONFIG_MAP } from '../../core/tenant/guardrail-parameters.ts';
import {
  claimNamespaces,
  heldOf,
  isOurs,
  namespaceNames,
  namesToAdopt,
} from '../../core/tenant/namespaces.ts';
import {
  copyableSources,
  permitsCopies,
  PULL_SECRET_BINDING,
  pullSecretCopyName,
  RUN_SERVICE_ACCOUNT,
  recordedCopies,
  sourceNamespace,
} from '../../core/tenant/pull-secrets.ts';
import type {
  Ledger,
  OneSidedPeers,
  PlatformSettings,
  Tenant,
  TenantObserved,
} from '../../core/tenant/tenant.ts';
import type { Reader } from '../../runtime/controller.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  CONFIG_MAPS,
  GPU_CLASSES,
  LIMIT_RANGES,
  NAMESPACES,
  NETWORK_POLICIES,
  QUOTA_LEDGERS,
  RESOURCE_QUOTAS,
  ROLE_BINDINGS,
  RUNS,
  RUNTIME_CLASSES,
  SECRETS,
  SERVICE_ACCOUNTS,
  TENANTS,
} from '../../core/resources.ts';
import { PODS } from './workloads.ts';

/** Kinds that the tenant controller makes and prunes. */
export const MADE: readonly Resource[] = [
  CONFIG_MAPS,
  NETWORK_POLICIES,
  LIMIT_RANGES,
  ROLE_BINDINGS,
  SERVICE_ACCOUNTS,
  CLUSTER_ROLES,
  CLUSTER_ROLE_BINDINGS,
];

/** Names of indexes that tenants are looked at by. */
export const BY = {
  tenant: 'tenant-of-label',
  namespace: 'tenant-wants-namespace',
  peer: 'tenant-names-peer',
  gpuClass: 'tenant-names-gpu-class',
  runtimeClass: 'tenant-names-runtime-class',
  pullSecret: 'tenant-names-pull-secret',
  /** All tenants that may reach something outside, under `ANY`. */
  egress: 'tenant-has-egress',
  waiting: 'run-waits-in-namespace',
} as const;

/** Pods in the way of an adoption that are named. */
const MAX_NAMED = 5;
/** The one value of an index that only tells whether. */
export const ANY = 'any';

/** What else than the stores tells of a tenant. */
export type Elsewhere = Pick<TenantObserved, 'clusterRanges' | 'areCopiesDue' | 'copiesDueMs'>;

/** What is looked at, and by what. */
export interface Observing {
  readonly tenant: Tenant;
  readonly read: Reader;
  readonly settings: PlatformSettings;
}

/** Reads what is decided on for one tenant: from the stores, but for copies of pull secrets that have to go. */
export async function observeTenant(input: Observing, elsewhere: Elsewhere): Promise<TenantObserved> {
  const { tenant, read } = input;
  const { name, deletionTimestamp } = tenant.metadata;
  const labelled = { index: BY.tenant, value: name };
  const namespaces = observeNamespaces(input);
  const pullSecretSources = observeSources(input);
  // Only the tenant's own: Runs in a foreign namespace that bears a wanted name are none of its business.
  const own = [...namespaces.values()].filter((one) => isOurs(one, tenant)).map((one) => one.metadata.name);
  const { runtimeClassName } = tenant.spec.isolation;
  const ledger = read.get(QUOTA_LEDGERS, { name }) as Ledger | undefined;
  return {
    ...elsewhere,
    namespaces,
    pretenders: await observePretenders(input, namespaces),
    fixedParameters: await observeFixedParameters(input, namespaces),
    objects: MADE.flatMap((resource) => read.list(resource, labelled)),
    ledger,
    resourceQuotas: read
      .list(RESOURCE_QUOTAS, labelled)
      // Labels are anybody's to write where no guardrail is.
      .filter(({ metadata }) => own.includes(metadata.namespace ?? ''))
      .filter((quota) => ledger === undefined || !isForeignQuota(quota, ledger)),
    quotasInTheWay: ledger === undefined ? [] : quotasInTheWay(ledger, own, read),
    gpuClasses: observeClasses(input),
    mutualPeers: mutualPeers(input),
    oneSidedPeers: oneSidedPeers(input),
    foreignPolicies: own.flatMap((namespace) => read.list(NETWORK_POLICIES, { namespace }).filter(isForeign)),
    hasRuntimeClass:
      runtimeClassName === undefined || read.get(RUNTIME_CLASSES, { name: runtimeClassName }) !== undefined,
    pullSecretSources,
    stalePullSecrets: await observeStaleCopies(input, namespaces, pullSecretSources),
    queuedRuns: own.reduce((sum, value) => sum + read.list(RUNS, { index: BY.waiting, value }).length, 0),
    runs: deletionTimestamp === undefined ? [] : own.flatMap((namespace) => read.list(RUNS, { namespace })),
  };
}

function quotasInTheWay(ledger: Ledger, namespaces: readonly string[], read: Reader): readonly KubeObject[] {
  const name = RESOURCE_QUOTA_NAME;
  return namespaces
    .map((namespace) => read.get(RESOURCE_QUOTAS, { namespace, name }))
    .filter((quota) => quota !== undefined)
    .filter((quota) => isForeignQuota(quota, ledger));
}

async function observePretenders(
  { tenant, read, settings }: Observing,
  namespaces: ReadonlyMap<string, KubeObject>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const namespace of namesToAdopt(tenant, claimNamespaces(tenant, namespaces, settings))) {
    const selectors = [LABELS.runUid, LABELS.service];
    const pods = await Promise.all(
      selectors.map((labelSelector) => read.listLive(PODS, { namespace, labelSelector })),
    );
    const names = [...new Set(pods.flat().map(({ metadata }) => metadata.name))];
    if (names.length > 0) found.set(namespace, names.slice(0, MAX_NAMED));
  }
  return found;
}

/** Asked for only where the store, which holds our own alone, does not know parameters that can be changed. */
async function observeFixedParameters(
  { tenant, read, settings }: Observing,
  namespaces: ReadonlyMap<string, KubeObject>,
): Promise<readonly KubeObject[]> {
  const adopted = heldOf(claimNamespaces(tenant, namespaces, settings)).filter((one) => one.adopted);
  const keys = adopted.map(({ name }) => ({ namespace: name, name: GUARDRAILS_CONFIG_MAP }));
  const open = keys.filter((key) => {
    const known = read.get(CONFIG_MAPS, key);
    return known === undefined || known['immutable'] === true;
  });
  const found = await Promise.all(open.map((key) => read.live(CONFIG_MAPS, key)));
  return found.filter((one) => one !== undefined).filter((one) => one['immutable'] === true);
}

/** Namespaces that the tenant speaks of, and those that carry its label. */
function observeNamespaces({ tenant, read }: Observing): ReadonlyMap<string, KubeObject> {
  const named = namespaceNames(tenant).map((name) => read.get(NAMESPACES, { name }));
  const labelled = read.list(NAMESPACES, { index: BY.tenant, value: tenant.metadata.name });
  return byName([...named, ...labelled]);
}

function observeSources({ tenant, read, settings }: Observing): ReadonlyMap<string, KubeObject> {
  const namespace = sourceNamespace(settings);
  const wanted = tenant.spec.imagePullSecrets ?? [];
  return byName(wanted.map(({ name }) => read.get(SECRETS, { namespace, name })));
}

function observeClasses({ tenant, read }: Observing): ReadonlyMap<string, GPUClassSpec> {
  const wanted = tenant.spec.quotas?.gpus ?? [];
  const classes = byName(wanted.map((gpu) => read.get(GPU_CLASSES, { name: gpu.class })));
  return new Map([...classes].map(([name, { spec }]) => [name, spec as GPUClassSpec]));
}

/** Peers that name the tenant back and are not on their way out. */
function mutualPeers({ tenant, read }: Observing): readonly string[] {
  const { name } = tenant.metadata;
  return peersOf(tenant)
    .filter((peer) => peer !== name && namesPeer(livePeer(peer, read), name))
    .toSorted();
}

function oneSidedPeers({ tenant, read }: Observing): OneSidedPeers {
  const { name } = tenant.metadata;
  const named = peersOf(tenant).filter((peer) => peer !== name);
  const callers = read.list(TENANTS, { index: BY.peer, value: name }).map((one) => one.metadata.name);
  const isLive = (peer: string) => livePeer(peer, read) !== undefined;
  return {
    missing: named.filter((peer) => !isLive(peer)).toSorted(),
    silent: named.filter((peer) => isLive(peer) && !namesPeer(livePeer(peer, read), name)).toSorted(),
    unanswered: callers.filter((peer) => peer !== name && isLive(peer) && !named.includes(peer)).toSorted(),
  };
}

function livePeer(name: string, read: Reader): KubeObject | undefined {
  const peer = read.get(TENANTS, { name });
  return peer?.metadata.deletionTimestamp === undefined ? peer : undefined;
}

function namesPeer(peer: KubeObject | undefined, name: string): boolean {
  return peer !== undefined && peersOf(unparsed(peer)).includes(name);
}

/** Peers that a Tenant names. */
export function peersOf({ spec }: Tenant): readonly string[] {
  return spec.network?.peers ?? [];
}

/** A Tenant as it is stored, before defaults: enough to look up what it names. */
export function unparsed(tenant: KubeObject): Tenant {
  return (tenant['spec'] === undefined ? { ...tenant, spec: {} } : tenant) as Tenant;
}

/** Whether an object does not bear our mark. */
export function isForeign({ metadata }: KubeObject): boolean {
  return metadata.labels?.[LABELS.managedBy] !== MANAGED_BY;
}

/**
 * Copies of pull secrets that are recorded and no longer wanted. Only these are read, and only where the permission to
 * read them is.
 */
async function observeStaleCopies(
  { tenant, read, settings }: Observing,
  namespaces: ReadonlyMap<string, KubeObject>,
  sources: ReadonlyMap<string, KubeObject>,
): Promise<readonly KubeObject[]> {
  const wanted = new Set(
    copyableSources(tenant, sources).map((one) => pullSecretCopyName(one.metadata.name)),
  );
  const claims = claimNamespaces(tenant, namespaces, settings);
  const stale: KubeObject[] = [];
  for (const { kind, name: namespace } of claims) {
    const serviceAccount = read.get(SERVICE_ACCOUNTS, { namespace, name: RUN_SERVICE_ACCOUNT });
    const binding = read.get(ROLE_BINDINGS, { namespace, name: PULL_SECRET_BINDING });
    // One of somebody else that bears the name lets us read nothing: asking would be refused, and hold up all of the tenant.
    const mayRead = binding !== undefined && permitsCopies(binding, settings);
    if (serviceAccount === undefined || !mayRead) continue;
    const keeps = kind === 'hold' && tenant.metadata.deletionTimestamp === undefined;
    const names = recordedCopies(serviceAccount).filter((name) => !keeps || !wanted.has(name));
    const found = await Promise.all(names.map((name) => read.live(SECRETS, { namespace, name })));
    stale.push(...found.filter((one) => one !== undefined));
  }
  return stale;
}

function byName(objects: readonly (KubeObject | undefined)[]): ReadonlyMap<string, KubeObject> {
  return new Map(objects.filter((one) => one !== undefined).map((one) => [one.metadata.name, one]));
}
