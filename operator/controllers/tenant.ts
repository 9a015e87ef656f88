// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import type { GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import { ANNOTATIONS, FINALIZERS, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { TENANT, type TenantStatus } from '#crds/v1alpha1/tenant';
import type { KubeObject, Resource } from '../core/object.ts';
import { finalizeTenant } from '../core/tenant/finalize.ts';
import { claimNamespaces, isOurs, namespaceNames } from '../core/tenant/namespaces.ts';
import { planTenant } from '../core/tenant/plan.ts';
import {
  copyableSources,
  PULL_SECRET_BINDING,
  pullSecretCopyName,
  RUN_SERVICE_ACCOUNT,
  recordedCopies,
} from '../core/tenant/pull-secrets.ts';
import type { Ledger, PlatformSettings, Tenant, TenantObserved } from '../core/tenant/tenant.ts';
import type { Controller, IndexDeclaration, Key, PolicyRule, Reader, Watch } from '../runtime/controller.ts';
import { parseWith } from '../runtime/controller.ts';
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
  SECRETS,
  SERVICE_ACCOUNTS,
  TENANTS,
} from './shared/resources.ts';

/** Kinds that the tenant controller makes and prunes. */
const MADE: readonly Resource[] = [
  CONFIG_MAPS,
  NETWORK_POLICIES,
  LIMIT_RANGES,
  ROLE_BINDINGS,
  SERVICE_ACCOUNTS,
  CLUSTER_ROLES,
  CLUSTER_ROLE_BINDINGS,
];

const BY_TENANT = 'tenant-of-label';
const BY_NAMESPACE = 'tenant-wants-namespace';
const BY_PEER = 'tenant-names-peer';
const BY_GPU_CLASS = 'tenant-names-gpu-class';
const BY_PULL_SECRET = 'tenant-names-pull-secret';
const WAITING = 'run-waits-in-namespace';

/** Indexes that the tenant controller looks things up by. */
export const TENANT_INDEXES: readonly IndexDeclaration[] = [
  ...[NAMESPACES, RESOURCE_QUOTAS, ...MADE].map((resource) => ({
    resource,
    name: BY_TENANT,
    of: (object: KubeObject) => present(object.metadata.labels?.[LABELS.tenant]),
  })),
  { resource: TENANTS, name: BY_NAMESPACE, of: (tenant) => namespaceNames(unparsed(tenant)) },
  { resource: TENANTS, name: BY_PEER, of: (tenant) => peersOf(unparsed(tenant)) },
  {
    resource: TENANTS,
    name: BY_GPU_CLASS,
    of: (tenant) => (unparsed(tenant).spec.quotas?.gpus ?? []).map((gpu) => gpu.class),
  },
  {
    resource: TENANTS,
    name: BY_PULL_SECRET,
    of: (tenant) => (unparsed(tenant).spec.imagePullSecrets ?? []).map(({ name }) => name),
  },
  { resource: RUNS, name: WAITING, of: (run) => (isWaiting(run) ? present(run.metadata.namespace) : []) },
];

/** The controller of Tenants: their namespaces, what is in them, their ledger and their end. */
export function tenantController(
  settings: PlatformSettings,
): Controller<Tenant, TenantObserved, TenantStatus> {
  return {
    name: 'tenant',
    resource: TENANTS,
    watches: watches(settings),
    rbac: RBAC,
    finalizer: FINALIZERS.tenant,
    parse: parseWith(z.object({ spec: TENANT.spec })),
    group: (tenant) => tenant.metadata.name,
    observe: (tenant, read) => observe({ tenant, read, settings }),
    plan: (tenant, observed, now) => planTenant({ tenant, observed, settings }, now),
    finalize: (tenant, observed, now) => finalizeTenant({ tenant, observed, settings }, now),
  };
}

const OWN_SELECTOR = `${LABELS.managedBy}=${MANAGED_BY}`;

function watches(settings: PlatformSettings): readonly Watch[] {
  return [
    // Without selector: a foreign namespace in the way, one that consents to adoption and one that lost our label must be seen.
    { resource: NAMESPACES, keys: tenantsOfNamespace },
    ...[RESOURCE_QUOTAS, ...MADE].map((resource) => ({
      resource,
      labelSelector: OWN_SELECTOR,
      keys: tenantOfLabel,
    })),
    { resource: QUOTA_LEDGERS, keys: (ledger) => keys([ledger.metadata.name]) },
    { resource: GPU_CLASSES, keys: (one, read) => keysOf(read, BY_GPU_CLASS, one.metadata.name) },
    { resource: TENANTS, keys: peersToWake },
    { resource: RUNS, keys: tenantOfRun },
    {
      resource: SECRETS,
      namespace: settings.platformNamespace,
      labelSelector: `${LABELS.shareable}=true`,
      keys: (secret, read) => keysOf(read, BY_PULL_SECRET, secret.metadata.name),
    },
  ];
}

const WRITE = ['create', 'patch', 'delete'];

const RBAC: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['namespaces'], verbs: WRITE },
  { apiGroups: [''], resources: ['configmaps', 'limitranges', 'serviceaccounts'], verbs: WRITE },
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: WRITE },
  {
    apiGroups: ['rbac.authorization.k8s.io'],
    resources: ['clusterrolebindings', 'clusterroles', 'rolebindings'],
    verbs: WRITE,
  },
  { apiGroups: ['nexusos.dev'], resources: ['quotaledgers'], verbs: WRITE },
  { apiGroups: ['nexusos.dev'], resources: ['runs'], verbs: ['delete'] },
];

interface Observing {
  readonly tenant: Tenant;
  readonly read: Reader;
  readonly settings: PlatformSettings;
}

async function observe(input: Observing): Promise<TenantObserved> {
  const { tenant, read } = input;
  const { name, deletionTimestamp } = tenant.metadata;
  const labelled = { index: BY_TENANT, value: name };
  const namespaces = observeNamespaces(input);
  const pullSecretSources = observeSources(input);
  // Only the tenant's own: Runs in a foreign namespace that bears a wanted name are none of its business.
  const own = [...namespaces.values()].filter((one) => isOurs(one, tenant)).map((one) => one.metadata.name);
  return {
    namespaces,
    objects: MADE.flatMap((resource) => read.list(resource, labelled)),
    ledger: read.get(QUOTA_LEDGERS, { name }) as Ledger | undefined,
    resourceQuotas: read.list(RESOURCE_QUOTAS, labelled),
    gpuClasses: observeClasses(input),
    mutualPeers: mutualPeers(input),
    pullSecretSources,
    stalePullSecrets: await observeStaleCopies(input, namespaces, pullSecretSources),
    queuedRuns: own.reduce((sum, value) => sum + read.list(RUNS, { index: WAITING, value }).length, 0),
    runs: deletionTimestamp === undefined ? [] : own.flatMap((namespace) => read.list(RUNS, { namespace })),
  };
}

/** Namespaces that the tenant speaks of, and those that carry its label. */
function observeNamespaces({ tenant, read }: Observing): ReadonlyMap<string, KubeObject> {
  const named = namespaceNames(tenant).map((name) => read.get(NAMESPACES, { name }));
  const labelled = read.list(NAMESPACES, { index: BY_TENANT, value: tenant.metadata.name });
  return byName([...named, ...labelled]);
}

function observeSources({ tenant, read, settings }: Observing): ReadonlyMap<string, KubeObject> {
  const namespace = settings.platformNamespace;
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
    .filter((peer) => {
      const other = read.get(TENANTS, { name: peer });
      return (
        peer !== name &&
        other !== undefined &&
        other.metadata.deletionTimestamp === undefined &&
        peersOf(unparsed(other)).includes(name)
      );
    })
    .toSorted();
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
    const mayRead = read.get(ROLE_BINDINGS, { namespace, name: PULL_SECRET_BINDING }) !== undefined;
    if (serviceAccount === undefined || !mayRead) continue;
    const keeps = kind === 'hold' && tenant.metadata.deletionTimestamp === undefined;
    const names = recordedCopies(serviceAccount).filter((name) => !keeps || !wanted.has(name));
    const found = await Promise.all(names.map((name) => read.live(SECRETS, { namespace, name })));
    stale.push(...found.filter((one) => one !== undefined));
  }
  return stale;
}

/** The tenant of the label, the one that the namespace consents to be adopted by, and all that want the name. */
function tenantsOfNamespace(namespace: KubeObject, read: Reader): readonly Key[] {
  const { name, labels, annotations } = namespace.metadata;
  return [
    ...keys(present(labels?.[LABELS.tenant])),
    ...keys(present(annotations?.[ANNOTATIONS.adoptInto])),
    ...keysOf(read, BY_NAMESPACE, name),
  ];
}

/** Peers on both ends: those that the tenant names, and those that name it. */
function peersToWake(tenant: KubeObject, read: Reader): readonly Key[] {
  return [...keys(peersOf(unparsed(tenant))), ...keysOf(read, BY_PEER, tenant.metadata.name)];
}

function tenantOfLabel(object: KubeObject): readonly Key[] {
  return keys(present(object.metadata.labels?.[LABELS.tenant]));
}

/** Only what changes the number of waiting Runs, or is waited for at the end of a tenant. */
function tenantOfRun(run: KubeObject, read: Reader): readonly Key[] {
  const { namespace, deletionTimestamp } = run.metadata;
  if (namespace === undefined) return [];
  const tenant = read.get(NAMESPACES, { name: namespace })?.metadata.labels?.[LABELS.tenant];
  if (tenant === undefined) return [];
  const isEnding = read.get(TENANTS, { name: tenant })?.metadata.deletionTimestamp !== undefined;
  return isWaiting(run) || isEnding || deletionTimestamp !== undefined ? keys([tenant]) : [];
}

function isWaiting(run: KubeObject): boolean {
  const phase = (run['status'] as { phase?: string } | undefined)?.phase;
  return phase === undefined || phase === 'Queued';
}

function peersOf({ spec }: Tenant): readonly string[] {
  return spec.network?.peers ?? [];
}

/** A Tenant as it is stored, before defaults: enough to look up what it names. */
function unparsed(tenant: KubeObject): Tenant {
  return (tenant['spec'] === undefined ? { ...tenant, spec: {} } : tenant) as Tenant;
}

function keysOf(read: Reader, index: string, value: string): readonly Key[] {
  return keys(read.list(TENANTS, { index, value }).map((tenant) => tenant.metadata.name));
}

function keys(names: readonly string[]): readonly Key[] {
  return names.map((name) => ({ name }));
}

function present<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}

function byName(objects: readonly (KubeObject | undefined)[]): ReadonlyMap<string, KubeObject> {
  return new Map(objects.filter((one) => one !== undefined).map((one) => [one.metadata.name, one]));
}
