// SPDX-License-Identifier: Apache-2.0
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../tools/cache-folder.ts';
import { eventually } from '../tools/eventually.ts';
import { exclusively } from '../tools/exclusive.ts';
import { identityOf, isAlive, type ProcessIdentity } from '../tools/process-identity.ts';
import { startCluster } from './cluster.ts';
import type { ComponentName } from './components.ts';
import { type ClusterDescription, descriptionPath, readClusterDescription } from './description.ts';
import { readRecord, readRecords, sweepRecord } from './records.ts';
import { restartEnded } from './restart-ended.ts';
import { SupervisorClient } from './supervisor-client.ts';

/** A cluster that was asked to stop gets this long to end by itself, component by component. */
const stopGraceMs = 5000;

/** A supervisor whose owner was killed ends its cluster at once; the rest is for machines that are busy. */
const formerEndMs = 60_000;

/** What runs of a cluster: a component without a pid has ended. */
export interface ClusterStatus {
  readonly description: ClusterDescription;
  readonly supervisorPid: number;
  readonly components: readonly { readonly name: ComponentName; readonly pid: number | undefined }[];
}

/** The cluster of that name, when it runs; what is left of one that died is swept. */
export async function findNamedCluster(name: string): Promise<ClusterDescription | undefined> {
  const description = await readClusterDescription(descriptionPath(dataFolder(name))).catch(() => undefined);
  const record = description === undefined ? undefined : await readRecord(description.id);
  if (record === undefined) {
    return undefined;
  }
  if (isAlive(record.supervisor)) {
    // While it is owned it belongs to an `up` that is still at work, or that was killed: then it ends.
    return record.owned === true ? undefined : description;
  }
  await sweepRecord(record.id);
  return undefined;
}

/** What `up` found and did. */
export interface UpResult {
  readonly description: ClusterDescription;
  readonly started: boolean;
  /** Components that had ended in a cluster that ran, and run again. */
  readonly restarted: readonly ComponentName[];
}

/**
 * Starts the cluster of that name, which outlives this process. When it runs, only components that have ended are started
 * again. Two that ask at once get the same cluster. `untilPid`: one that is started ends when that process is gone.
 *
 * @throws Error with the end of its log, when a component does not come up; or when there is no such process.
 */
export function upNamedCluster(name: string, untilPid?: number): Promise<UpResult> {
  const until = untilPid === undefined ? undefined : existing(untilPid);
  return whileAlone(name, async () => {
    const running = await readStatus(name);
    if (running !== undefined) {
      const { description } = running;
      const ended = running.components.filter(({ pid }) => pid === undefined).map((one) => one.name);
      await restartEnded(description, ended);
      return { description, started: false, restarted: ended };
    }
    await formerEnd(name);
    // Of a start that was cut off.
    await rm(dataFolder(name), { recursive: true, force: true });
    const cluster = await startCluster({ name, dataDir: dataFolder(name), audit: true });
    await cluster.detach(until);
    await cluster.close();
    return { description: cluster.description, started: true, restarted: [] };
  });
}

function existing(pid: number): ProcessIdentity {
  const found = identityOf(pid);
  if (found === undefined) throw new Error(`there is no process ${pid}: a cluster would end at once with it`);
  return found;
}

/** Waits until no supervisor works in the folder of that name: one whose `up` was killed removes the folder at its end. */
async function formerEnd(name: string): Promise<void> {
  const findFormer = async () =>
    (await readRecords()).find(
      ({ dataDir, supervisor }) => dataDir === dataFolder(name) && isAlive(supervisor),
    );
  const former = await findFormer();
  if (former === undefined) return;
  console.error(`Waiting for the former cluster ${name} to end (process ${former.supervisor.pid})`);
  const what = `the former cluster ${name} has ended (process ${former.supervisor.pid})`;
  await eventually(what, async () => (await findFormer()) === undefined, formerEndMs);
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
