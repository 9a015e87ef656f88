// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import { ANNOTATIONS, API_VERSION, LABELS } from '#crds/v1alpha1/names';
import { findCondition } from '../../core/conditions.ts';
import type { KubeObject, Resource } from '../../core/object.ts';
import type { Tenant } from '../../core/tenant/tenant.ts';
import { type Client, createClient } from '../../runtime/client.ts';
import { certificateCredentials } from '../../runtime/testing/certificate-credentials.ts';
import type { Key } from '../../runtime/controller.ts';
import { createManager, type Manager } from '../../runtime/manager.ts';
import { isIdle } from '../../runtime/testing/rig.ts';
import { eventually } from '#hack/tools/eventually';
import { createLog } from '../../telemetry/log.ts';
import { createMetrics, type Metrics } from '../../telemetry/metrics.ts';
import { NAMESPACES, QUOTA_LEDGERS, TENANTS } from '../../core/resources.ts';
import { TENANT_INDEXES, tenantController } from '../tenant.ts';
import { auditEntries } from './audit-log.ts';

const MANIFESTS = join(import.meta.dirname, '../../../crds/manifests');

/** The platform namespace of the rig. */
export const PLATFORM = 'platform';

/** A control plane of its own, in which the tenant controller runs and nothing else of ours. */
export interface TenantRig {
  readonly cluster: Cluster;
  /** As the administrator. */
  readonly client: Client;
  readonly metrics: Metrics;
  readonly manager: Manager;
  /** The version of each Tenant that was planned last, by name. */
  readonly planned: ReadonlyMap<string, string>;
  close(): Promise<void>;
}

/** Starts a control plane with our kinds in it, and the tenant controller on the real runtime. */
export async function startTenantRig(): Promise<TenantRig> {
  const cluster = await startCluster({ kwok: false, audit: true });
  const applied = await cluster.kubectl(['apply', '--server-side', '-f', MANIFESTS]);
  if (applied.code !== 0) throw new Error(applied.stderr);
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s']);
  const credentials = await certificateCredentials(cluster.kubeconfigPath);
  const metrics = createMetrics();
  const client = createClient({ credentials, metrics });
  await client.create(NAMESPACES, plain(NAMESPACES, PLATFORM), 'test');
  const settings = {
    platformNamespace: PLATFORM,
    operatorServiceAccount: 'operator',
    reservedRanges: ['10.0.0.0/16', '10.96.0.0/12'],
  };
  const planned = new Map<string, string>();
  const controller = tenantController(settings, { copyCheckMs: 2000 });
  const plan: typeof controller.plan = (tenant, observed, now) => {
    planned.set(tenant.metadata.name, tenant.metadata.resourceVersion ?? '');
    return controller.plan(tenant, observed, now);
  };
  const manager = createManager({
    client,
    controllers: [{ ...controller, plan }],
    indexes: TENANT_INDEXES,
    identity: 'rig',
    leaderElection: undefined,
    metrics,
    log: createLog({ level: process.env['NEXUSOS_TEST_LOG'] === undefined ? 'silent' : 'debug' }),
  });
  await manager.start();
  return {
    cluster,
    client,
    metrics,
    manager,
    planned,
    async close() {
      await manager.stop();
      await client.close();
      await cluster.stop();
    },
  };
}

/** An object with a name and nothing else. */
export function plain(resource: Resource, name: string, annotations?: Record<string, string>): KubeObject {
  const { apiVersion, kind } = resource;
  return { apiVersion, kind, metadata: { name, ...(annotations && { annotations }) } };
}

/** Makes a Tenant; what the spec leaves out is defaulted by the API server. */
export function createTenant(rig: TenantRig, name: string, spec: Partial<TenantSpec>): Promise<KubeObject> {
  const tenant = { apiVersion: API_VERSION, kind: 'Tenant', metadata: { name }, spec };
  return rig.client.create(TENANTS, tenant, 'test');
}

/** Changes fields of the spec; undefined fields stay as they are. */
export function changeTenant(rig: TenantRig, name: string, body: object): Promise<KubeObject> {
  return rig.client.patch(TENANTS, { name }, { body });
}

/** The Tenant as the API server holds it. */
export async function tenantOf(rig: TenantRig, name: string): Promise<Tenant | undefined> {
  return (await rig.client.get(TENANTS, { name })) as Tenant | undefined;
}

/**
 * Says that the ledger of a tenant has dealt out its totals, which is the part of the ledger controller. Tenants of the
 * rig have no native quotas, so there is nothing else to it.
 */
export async function settleLedger(rig: TenantRig, name: string): Promise<void> {
  const ledger = await rig.client.get(QUOTA_LEDGERS, { name });
  if (ledger === undefined) return;
  const { generation } = ledger.metadata;
  if ((ledger['status'] as { observedGeneration?: number } | undefined)?.observedGeneration === generation)
    return;
  await rig.client.replaceStatus(
    QUOTA_LEDGERS,
    { ...ledger, status: { observedGeneration: generation } },
    'test',
  );
}

/** Waits until the Tenant says of its last spec that Ready is `status` for `reason`. Returns it. */
export async function becomes(
  rig: TenantRig,
  name: string,
  wanted: { readonly status: 'True' | 'False'; readonly reason: string },
): Promise<Tenant> {
  let found: Tenant | undefined;
  await eventually(`tenant ${name} is ${wanted.status}/${wanted.reason}`, async () => {
    await settleLedger(rig, name);
    found = await tenantOf(rig, name);
    const ready = findCondition(found?.status?.conditions ?? [], 'Ready');
    if (ready?.status === wanted.status && ready.reason === wanted.reason) {
      return ready.observedGeneration === found?.metadata.generation;
    }
    throw new Error(JSON.stringify(found?.status));
  });
  if (found === undefined) throw new Error('unreachable: the wait has found it');
  return found;
}

/** Objects of a kind with the label of `tenant`, as `<kind>/<namespace>/<name>`, sorted. */
export async function namesOf(
  rig: TenantRig,
  resources: readonly Resource[],
  tenant: string,
): Promise<readonly string[]> {
  const names: string[] = [];
  for (const resource of resources) {
    for await (const page of rig.client.list(resource, { labelSelector: `nexusos.dev/tenant=${tenant}` })) {
      names.push(
        ...page.items.map(({ metadata }) => `${resource.kind}/${metadata.namespace ?? ''}/${metadata.name}`),
      );
    }
  }
  return names.toSorted();
}

/** A top-level field of a live object. */
export async function field<T>(
  rig: TenantRig,
  [resource, key]: readonly [Resource, Key],
  name: string,
): Promise<T | undefined> {
  return (await rig.client.get(resource, key))?.[name] as T | undefined;
}

/** The marks of a live namespace; none of them when there is none. */
export async function namespaceOf(rig: TenantRig, name: string) {
  const live = await rig.client.get(NAMESPACES, { name });
  const { labels = {}, annotations = {}, deletionTimestamp } = live?.metadata ?? { name };
  return {
    tenant: labels[LABELS.tenant],
    labels,
    mark: annotations[ANNOTATIONS.tenantUid],
    deletionTimestamp,
  };
}

/** Waits until a Tenant was looked at as it is in `object`, or newer. */
export async function isPlanned({ planned }: TenantRig, { metadata }: KubeObject): Promise<void> {
  const isSeen = () => Number(planned.get(metadata.name) ?? 0) >= Number(metadata.resourceVersion);
  await eventually(`${metadata.name} was planned anew`, isSeen);
}

/**
 * Writes whose path has `name` in it, whoever sent them, as `<verb> <path>`: from the audit log of the API server, when all that
 * the manager is about to write is written. What a write does is seen before the write is in the log; its answer is not.
 */
export async function writesAbout(rig: TenantRig, name: string): Promise<readonly string[]> {
  await eventually('nothing is under way', () => isIdle(rig.metrics));
  const entries = await auditEntries(rig.cluster.auditLog ?? '');
  return entries
    .filter(({ verb, uri }) => !['get', 'list', 'watch'].includes(verb) && uri.includes(name))
    .map(({ verb, uri }) => `${verb} ${decodeURIComponent(uri.split('?')[0] ?? '')}`);
}
