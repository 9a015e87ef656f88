// SPDX-License-Identifier: Apache-2.0
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../tools/cache-folder.ts';
import { exclusively } from '../tools/exclusive.ts';
import { isAlive } from '../tools/process-identity.ts';
import { startCluster } from './cluster.ts';
import type { ComponentName } from './components.ts';
import { type ClusterDescription, descriptionPath, readClusterDescription } from './description.ts';
import { readRecord, sweepRecord } from './records.ts';
import { SupervisorClient } from './supervisor-client.ts';

/** A cluster that was asked to stop gets this long to end by itself, component by component. */
const stopGraceMs = 5000;

/** What runs of a cluster: a component without a pid has ended. */
export interface ClusterStatus {
  readonly description: ClusterDescription;
  readonly supervisorPid: number;
  readonly components: readonly { readonly name: ComponentName; readonly pid: number | undefined }[];
}

/** The cluster of that name, when it runs; what is left of one that died is swept. */
export async function findNamedCluster(name: string): Promise<ClusterDescription | undefined> {
  const path = descriptionPath(dataFolder(name));
  const description = await readClusterDescription(path).catch(() => undefined);
  if (description === undefined) {
    return undefined;
  }
  await sweepRecord(description.id);
  const alive = await access(path).then(
    () => true,
    () => false,
  );
  return alive ? description : undefined;
}

/**
 * Starts the cluster of that name, which outlives this process; does nothing when it runs. `started` tells
 * which it was. Two that ask at once get the same cluster.
 */
export function upNamedCluster(
  name: string,
): Promise<{ readonly description: ClusterDescription; readonly started: boolean }> {
  return whileAlone(name, async () => {
    const running = await findNamedCluster(name);
    if (running !== undefined) {
      return { description: running, started: false };
    }
    // Of a start that was cut off; whatever ran of it has ended with that.
    await rm(dataFolder(name), { recursive: true, force: true });
    const cluster = await startCluster({ name, dataDir: dataFolder(name), audit: true });
    await cluster.detach();
    await cluster.close();
    return { description: cluster.description, started: true };
  });
}

/** Stops the cluster of that name and removes its data; false when it does not run. */
export function downNamedCluster(name: string): Promise<boolean> {
  return whileAlone(name, async () => {
    const running = await findNamedCluster(name);
    if (running === undefined) {
      return false;
    }
    const supervisor = await SupervisorClient.connect(running.socketPath);
    await supervisor.stop(stopGraceMs);
    return true;
  });
}

/** What runs of the cluster of that name; undefined when it does not run. */
export async function readStatus(name: string): Promise<ClusterStatus | undefined> {
  const description = await findNamedCluster(name);
  const record = description === undefined ? undefined : await readRecord(description.id);
  if (description === undefined || record === undefined) {
    return undefined;
  }
  const names = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kwok'] as const;
  return {
    description,
    supervisorPid: record.supervisor.pid,
    components: names.map((component) => {
      const identity = record.components[component];
      return {
        name: component,
        pid: identity !== undefined && isAlive(identity) ? identity.pid : undefined,
      };
    }),
  };
}

function whileAlone<T>(name: string, work: () => Promise<T>): Promise<T> {
  const onWait = (): void => console.error(`Waiting for another command on cluster ${name}`);
  return exclusively({ path: join(clustersFolder(), `${name}.lock`), onWait }, work);
}

function clustersFolder(): string {
  return join(cacheFolder(), 'clusters');
}

function dataFolder(name: string): string {
  if (!/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/.test(name)) {
    throw new Error(`${name} is no name for a cluster: lower-case letters, digits and dashes, 32 at most`);
  }
  return join(clustersFolder(), 'named', name);
}
