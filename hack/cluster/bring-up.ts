// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { ApiClient, createAll } from './api-client.ts';
import type { ClusterConnection } from './attached-cluster.ts';
import type { ComponentName } from './components.ts';
import { kwokAccess } from './kwok-access.ts';
import { type NodePool, nodePoolObjects } from './node-pools.ts';
import type { ClusterOptions, PreparedCluster } from './prepare.ts';
import { StartWatch } from './start-watch.ts';

/** Far beyond what it takes: a machine may be busy with other things, and a component that fails is noticed at once. */
const defaultReadyTimeoutMs = 120_000;

/** What `bringUp` works with. */
export interface BringUp {
  readonly prepared: PreparedCluster;
  readonly connection: ClusterConnection;
  readonly nodePools: readonly NodePool[];
  readonly options: ClusterOptions;
}

/** Starts the components of a prepared cluster and waits until all is ready. Throws ComponentFailure. */
export async function bringUp({ prepared, connection, nodePools, options }: BringUp): Promise<void> {
  const { admin, supervisor, description } = connection;
  const scheduler = new ApiClient({
    url: `https://127.0.0.1:${prepared.ports.scheduler}`,
    caCertificate: Buffer.from(description.caData, 'base64').toString('utf8'),
  });
  const watch = new StartWatch({
    supervisor,
    logFolder: join(description.dataDir, 'logs'),
    timeoutMs: options.readyTimeoutMs ?? defaultReadyTimeoutMs,
  });
  const start = (name: ComponentName): Promise<void> =>
    supervisor.ask({ op: 'start', component: prepared.components[name] });
  try {
    // The API server looks for etcd until it is there; the others leave when they do not find the API server.
    await start('etcd');
    await start('kube-apiserver');
    await watch.until('kube-apiserver', () => admin.healthy('/readyz'));
    await start('kube-controller-manager');
    await start('kube-scheduler');
    await Promise.all([
      watch.until('kube-controller-manager', () => hasDefaultServiceAccount(admin)),
      watch.until('kube-scheduler', () => scheduler.healthy('/readyz')),
      ...(options.kwok === false ? [] : [simulateNodes({ watch, start, admin, nodePools })]),
    ]);
  } finally {
    watch.close();
    await scheduler.close();
  }
}

async function simulateNodes(work: {
  readonly watch: StartWatch;
  readonly start: (name: ComponentName) => Promise<void>;
  readonly admin: ApiClient;
  readonly nodePools: readonly NodePool[];
}): Promise<void> {
  await createAll(work.admin, kwokAccess());
  await work.start('kwok');
  await createAll(work.admin, nodePoolObjects(work.nodePools));
  const count = work.nodePools.reduce((sum, pool) => sum + pool.nodes, 0);
  await work.watch.until('kwok', async () => (await readyNodes(work.admin)) >= count);
}

/** Pods cannot be made before it: it is among the last things that the controller manager brings. */
async function hasDefaultServiceAccount(admin: ApiClient): Promise<boolean> {
  return (await admin.get('/api/v1/namespaces/default/serviceaccounts/default')) !== undefined;
}

interface NodeList {
  readonly items: readonly {
    readonly spec: { readonly taints?: readonly { readonly key: string }[] };
    readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  }[];
}

/** Nodes that are Ready and that the control plane has also freed for scheduling. */
async function readyNodes(admin: ApiClient): Promise<number> {
  const list = (await admin.get('/api/v1/nodes?labelSelector=type%3Dkwok')) as NodeList | undefined;
  return (list?.items ?? []).filter(
    ({ spec, status }) =>
      status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true &&
      spec.taints?.some(({ key }) => key === 'node.kubernetes.io/not-ready') !== true,
  ).length;
}
