// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { ANNOTATIONS, FINALIZERS, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { TENANT, TENANT_REASONS, type TenantStatus } from '#crds/v1alpha1/tenant';
import { isDeepEqual } from '../core/compare.ts';
import type { KubeObject } from '../core/object.ts';
import type { PlanEvent } from '../core/plan.ts';
import { RESOURCE_QUOTA_NAME } from '../core/quota/refusals.ts';
import { tellRefusal } from '../core/refused-write.ts';
import type { Run } from '../core/run/run.ts';
import { finalizeTenant } from '../core/tenant/finalize.ts';
import { namespaceNames } from '../core/tenant/namespaces.ts';
import { planTenant } from '../core/tenant/plan.ts';
import { parseCidr } from '../core/tenant/cidr.ts';
import { rangesWithin } from '../core/tenant/cluster-ranges.ts';
import { sourceNamespace } from '../core/tenant/pull-secrets.ts';
import type { Ledger, PlatformSettings, Tenant, TenantObserved } from '../core/tenant/tenant.ts';
import type {
  Controller,
  IndexDeclaration,
  Key,
  Patience,
  PolicyRule,
  Reader,
  Watch,
} from '../runtime/controller.ts';
import { parseWith } from '../runtime/controller.ts';
import { ClusterAddresses, type Concerned } from './shared/cluster-addresses.ts';
import { CopyChecks } from './shared/copy-checks.ts';
import {
  GPU_CLASSES,
  NAMESPACES,
  NETWORK_POLICIES,
  QUOTA_LEDGERS,
  RESOURCE_QUOTAS,
  RUNS,
  RUNTIME_CLASSES,
  SECRETS,
  TENANTS,
} from '../core/resources.ts';
import { ifMoreThanFigures, isSameButUsage } from './shared/news-of-objects.ts';
import { queueRules, queueWatches, seeQueues } from './shared/tenant-queues.ts';
import {
  ANY,
  BY,
  type Elsewhere,
  isForeign,
  MADE,
  observeTenant,
  peersOf,
  unparsed,
} from './shared/tenant-view.ts';

/** Indexes that the tenant controller looks things up by. */
export const TENANT_INDEXES: readonly IndexDeclaration[] = [
  { resource: NAMESPACES, name: BY.tenant, of: labelOf },
  ...[RESOURCE_QUOTAS, ...MADE].map((resource) => ({
    resource,
    name: BY.tenant,
    of: (object: KubeObject) => (isForeign(object) ? [] : labelOf(object)),
  })),
  { resource: TENANTS, name: BY.namespace, of: (tenant) => namespaceNames(unparsed(tenant)) },
  { resource: TENANTS, name: BY.peer, of: (tenant) => peersOf(unparsed(tenant)) },
  {
    resource: TENANTS,
    name: BY.gpuClass,
    of: (tenant) => (unparsed(tenant).spec.quotas?.gpus ?? []).map((gpu) => gpu.class),
  },
  {
    resource: TENANTS,
    name: BY.runtimeClass,
    of: (tenant) => present(unparsed(tenant).spec.isolation?.runtimeClassName),
  },
  { resource: TENANTS, name: BY.egress, of: (tenant) => (egressOf(tenant).length > 0 ? [ANY] : []) },
  {
    resource: TENANTS,
    name: BY.pullSecret,
    of: (tenant) => (unparsed(tenant).spec.imagePullSecrets ?? []).map(({ name }) => name),
  },
  { resource: RUNS, name: BY.waiting, of: (run) => (isWaiting(run) ? present(run.metadata.namespace) : []) },
];

const parseTenant = parseWith(z.object({ spec: TENANT.spec }));
const BEGINNINGS: ReadonlySet<string> = new Set([TENANT_REASONS.Provisioning, TENANT_REASONS.QuotaPending]);

/** Reasons that say no more than that something is not there yet. */
const STANDS_STILL = [TENANT_REASONS.Provisioning, TENANT_REASONS.QuotaPending];

/**
 * That work has begun, and that a new tenant's quotas hold, which Ready says, is in the conditions; told as Events too, it
 * would be a tenth of all writes of a new tenant.
 */
function isTold({ type, reason }: PlanEvent, was: string | undefined): boolean {
  const isFirst = was === undefined || was === TENANT_REASONS.Provisioning;
  if (reason === TENANT_REASONS.Enforced && isFirst) return false;
  return type === 'Warning' || !BEGINNINGS.has(reason);
}

/**
 * The controller of Tenants: their namespaces, what is in them, their ledger and their end. `copyCheckMs`: how often
 * copies of pull secrets are looked after.
 */
export function tenantController(
  settings: PlatformSettings,
  { copyCheckMs }: { readonly copyCheckMs?: number } = {},
): Controller<Tenant, TenantObserved, TenantStatus> {
  const addresses = new ClusterAddresses();
  const checks = new CopyChecks(copyCheckMs);
  const elsewhere = (tenant: Tenant, read: Reader): Elsewhere => ({
    clusterRanges: egressOf(tenant).length > 0 ? addresses.ranges(read) : [],
    ...(hasCopies(tenant)
      ? checks.take(tenant.metadata.name, performance.now())
      : checks.forget(tenant.metadata.name)),
  });
  return {
    name: 'tenant',
    resource: TENANTS,
    watches: [...watches(settings), ...addresses.watches(tenantsReaching), ...queueWatches(settings.kueue)],
    rbac: [...RBAC, ...queueRules(settings.kueue)],
    finalizer: FINALIZERS.tenant,
    parse: parseTenant,
    patienceMs: ofUse,
    // The end of a tenant is decided by its name, its status and its annotations.
    salvage: (tenant) => parseTenant({ ...tenant, spec: {} }),
    group: (tenant) => tenant.metadata.name,
    tells: isTold,
    async observe(tenant, read) {
      const seen = await observeTenant({ tenant, read, settings }, elsewhere(tenant, read));
      return { ...seen, ...seeQueues({ tenant, read, settings }, seen) };
    },
    plan: (tenant, observed, now) => planTenant({ tenant, observed, settings }, now),
    heldUp: (tenant, obstacle, now) => tellRefusal(tenant, { obstacle, replaces: STANDS_STILL }, now),
    finalize: (tenant, observed, now) => finalizeTenant({ tenant, observed, settings }, now),
  };
}

const OWN_SELECTOR = `${LABELS.managedBy}=${MANAGED_BY}`;

function watches(settings: PlatformSettings): readonly Watch[] {
  return [
    // Without selector: a foreign namespace in the way, one that consents to adoption and one that lost our label must be seen.
    { resource: NAMESPACES, keys: tenantsOfNamespace },
    ...MADE.filter((resource) => resource !== NETWORK_POLICIES).map((resource) => ({
      resource,
      labelSelector: OWN_SELECTOR,
      keys: tenantOfLabel,
    })),
    // Without selector: those that tenants wrote are judged as well.
    { resource: NETWORK_POLICIES, keys: tenantOfContent },
    // Without selector: one of somebody else that bears our name must be seen.
    { resource: RESOURCE_QUOTAS, keys: tenantOfQuota },
    {
      resource: RUNTIME_CLASSES,
      metadataOnly: true,
      keys: (one, read) => keysOf(read, BY.runtimeClass, one.metadata.name),
    },
    { resource: QUOTA_LEDGERS, keys: (ledger) => keys([ledger.metadata.name]), patienceMs: ofLedger },
    { resource: GPU_CLASSES, keys: (one, read) => keysOf(read, BY.gpuClass, one.metadata.name) },
    { resource: TENANTS, keys: peersToWake, patienceMs: ofUse },
    { resource: RUNS, keys: tenantOfRun, patienceMs: () => FIGURES_MS },
    {
      resource: SECRETS,
      namespace: sourceNamespace(settings),
      labelSelector: `${LABELS.shareable}=true`,
      keys: (secret, read) => keysOf(read, BY.pullSecret, secret.metadata.name),
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

/** The tenant of the label, the one that the namespace consents to be adopted by, and all that want the name. */
function tenantsOfNamespace(namespace: KubeObject, read: Reader): readonly Key[] {
  const { name, labels, annotations } = namespace.metadata;
  return [
    ...keys(present(labels?.[LABELS.tenant])),
    ...keys(present(annotations?.[ANNOTATIONS.adoptInto])),
    ...keysOf(read, BY.namespace, name),
  ];
}

/** Peers on both ends: those that the tenant names, and those that name it. */
function peersToWake(tenant: KubeObject, read: Reader): readonly Key[] {
  return [...keys(peersOf(unparsed(tenant))), ...keysOf(read, BY.peer, tenant.metadata.name)];
}

function labelOf({ metadata }: KubeObject): readonly string[] {
  return present(metadata.labels?.[LABELS.tenant]);
}

function tenantOfLabel(object: KubeObject): readonly Key[] {
  return keys(labelOf(object));
}

/** An object of ours belongs to its label, another one to its namespace. */
function tenantOfContent(object: KubeObject, read: Reader): readonly Key[] {
  if (!isForeign(object)) return tenantOfLabel(object);
  const namespace = read.get(NAMESPACES, { name: object.metadata.namespace ?? '' });
  return namespace === undefined ? [] : tenantOfLabel(namespace);
}

function tenantOfQuota(quota: KubeObject, read: Reader): readonly Key[] {
  return quota.metadata.name === RESOURCE_QUOTA_NAME ? tenantOfContent(quota, read) : [];
}

/** Tenants whose egress covers some of the addresses of the cluster that have changed. */
const tenantsReaching: Concerned = (changed, read) => {
  const tenants = read.list(TENANTS, { index: BY.egress, value: ANY });
  const isReached = (tenant: KubeObject) => {
    const asked = egressOf(tenant).map(({ cidr }) => parseCidr(cidr));
    return (
      rangesWithin(
        asked.filter((one) => one !== undefined),
        changed,
      ).length > 0
    );
  };
  return keys(tenants.filter(isReached).map(({ metadata }) => metadata.name));
};

function egressOf(tenant: KubeObject) {
  return unparsed(tenant).spec.network?.egress ?? [];
}

function hasCopies({ spec, metadata }: Tenant): boolean {
  return (spec.imagePullSecrets ?? []).length > 0 && metadata.deletionTimestamp === undefined;
}

/** Figures are written every few seconds at most, and Runs change them all the time. */
const FIGURES_MS = 3000;

/** Who holds what changes with every Run; how the ledger stands, and what is granted where, is waited for. */
const ofLedger: Patience = ({ old, object }) => {
  if (old === undefined || object === undefined) return 0;
  return isDeepEqual(dealtIn(old as Ledger), dealtIn(object as Ledger)) ? FIGURES_MS : 0;
};

function dealtIn({ metadata, status }: Ledger): unknown {
  return [
    metadata.uid,
    metadata.generation,
    metadata.deletionTimestamp ?? '',
    status?.grants,
    status?.conditions,
  ];
}

const ofUse = ifMoreThanFigures(isSameButUsage, FIGURES_MS);

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
  const { phase = 'Queued', keyHolder } = (run as Run).status ?? {};
  return phase === 'Queued' && keyHolder === undefined;
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
