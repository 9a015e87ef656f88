// SPDX-License-Identifier: Apache-2.0
import { totalmem } from 'node:os';
import type { Resource } from '#operator/core/object';
import { type Client, createClient } from '#operator/runtime/client';
import { kubeconfigCredentials } from '#operator/runtime/credentials';
import { createMetrics } from '#operator/telemetry/metrics';
import { type Cluster, startCluster } from '../cluster/cluster.ts';
import { installChart, PLATFORM_NAMESPACE } from '../system/chart.ts';

/** What a measurement works on: a control plane of its own with the chart, and an administrator's client. */
export interface BenchEnvironment {
  readonly cluster: Cluster;
  readonly client: Client;
  readonly auditLog: string;
  /** The user that operators are to the API server. */
  readonly operatorUser: string;
}

/** Tenants, as requests name them. */
export const TENANTS: Resource = {
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'Tenant',
  plural: 'tenants',
  namespaced: false,
};

const GIBIBYTE = 2 ** 30;

/**
 * How much memory a component may take before it collects garbage more often than it has to: a quarter of the machine's. At the 2 GiB of tests,
 * an API server that holds 5,000 Runs collects five times as much for each Run as one that holds 1,000, which says nothing of us.
 */
function memoryLimit(): string {
  return `${Math.max(2, Math.floor(totalmem() / 4 / GIBIBYTE))}GiB`;
}

/** Runs `measure` on a fresh control plane that ends with it. */
export async function withEnvironment<T>(measure: (environment: BenchEnvironment) => Promise<T>): Promise<T> {
  process.env['GOMEMLIMIT'] ??= memoryLimit();
  const cluster = await startCluster({ audit: true });
  const credentials = await kubeconfigCredentials({ paths: [cluster.kubeconfigPath] });
  const client = createClient({ credentials, metrics: createMetrics(), connections: 16 });
  try {
    await installChart(cluster);
    const auditLog = cluster.auditLog;
    if (auditLog === undefined) throw new Error('the control plane keeps no audit log');
    const operatorUser = `system:serviceaccount:${PLATFORM_NAMESPACE}:nexusos-operator`;
    return await measure({ cluster, client, auditLog, operatorUser });
  } finally {
    await client.close();
    await cluster.stop();
  }
}

/** A small but complete tenant: two owners, one namespace, quota and container defaults. */
export function sampleTenant(name: string) {
  return {
    apiVersion: TENANTS.apiVersion,
    kind: TENANTS.kind,
    metadata: { name },
    spec: {
      owners: [
        { kind: 'User', name: `${name}-admin`, role: 'admin' },
        { kind: 'Group', name: `${name}-developers`, role: 'operator' },
      ],
      namespaces: [{ suffix: 'main' }],
      quotas: {
        compute: { 'requests.cpu': '8', 'requests.memory': '16Gi' },
        objects: { pods: 50 },
        runs: { maxConcurrent: 5 },
      },
      containerDefaults: { defaultRequest: { cpu: '100m', memory: '128Mi' } },
    },
  };
}

/** Whether a Tenant says that all is as its present spec wants. */
export function isReady(tenant: { readonly [field: string]: unknown }): boolean {
  const { metadata, status } = tenant as unknown as {
    readonly metadata: { readonly generation?: number };
    readonly status?: {
      readonly observedGeneration?: number;
      readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    };
  };
  return (
    status?.observedGeneration === metadata.generation &&
    status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true
  );
}
