// SPDX-License-Identifier: Apache-2.0
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import type { ComponentName } from '#hack/cluster/components';
import { eventually } from '#hack/tools/eventually';

/** Those that have caches of their own. Kubernetes asks whoever restores a backup to start them anew. */
const CLIENTS: readonly ComponentName[] = ['kwok', 'kube-scheduler', 'kube-controller-manager'];

/** Keeps what etcd has at this moment, for `restoreEtcd`. It is away for that: only then are its files those of one moment. */
export async function backUpEtcd(cluster: AttachedCluster): Promise<void> {
  const { data, copy } = foldersOf(cluster);
  await end(cluster, 'etcd');
  await rm(copy, { recursive: true, force: true });
  await cp(data, copy, { recursive: true });
  await cluster.restart('etcd');
  await serves(cluster);
}

/**
 * Has etcd go back to the copy, as Kubernetes has it: with the API server stopped, and its other clients started anew. Nobody else is told.
 * Returns what `look` finds while all of them are stopped.
 */
export async function restoreEtcd<T>(cluster: AttachedCluster, look: () => Promise<T>): Promise<T> {
  const { data, copy } = foldersOf(cluster);
  for (const name of [...CLIENTS, 'kube-apiserver', 'etcd'] as const) await end(cluster, name);
  const found = await look();
  await rm(data, { recursive: true });
  await cp(copy, data, { recursive: true });
  for (const name of ['etcd', 'kube-apiserver'] as const) await cluster.restart(name);
  await serves(cluster);
  for (const name of CLIENTS) await cluster.restart(name);
  return found;
}

function foldersOf({ description: { dataDir } }: AttachedCluster) {
  return { data: join(dataDir, 'etcd'), copy: join(dataDir, 'etcd-backup') };
}

/** Ends a component at once, and waits until it is gone. */
async function end(cluster: AttachedCluster, name: ComponentName): Promise<void> {
  const { promise: isGone, resolve } = Promise.withResolvers<void>();
  const forget = cluster.onComponentExit(({ component }) => {
    if (component === name) resolve();
  });
  await cluster.kill(name);
  await isGone;
  forget();
}

function serves({ admin }: AttachedCluster): Promise<unknown> {
  return eventually('the API server is ready', () => admin.healthy('/readyz'));
}
