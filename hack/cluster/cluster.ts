// SPDX-License-Identifier: Apache-2.0
import { AttachedCluster, adminClient } from './attached-cluster.ts';
import { bringUp } from './bring-up.ts';
import { descriptionPath, writeClusterDescription } from './description.ts';
import { defaultNodePoolsFile, type NodePool, readNodePools } from './node-pools.ts';
import { type ClusterOptions, choosePlace, ensurePrograms, prepareCluster, removesData } from './prepare.ts';
import { recordPathOf, sweepRecord, sweepRecords } from './records.ts';
import { startSupervisor, SupervisorClient } from './supervisor-client.ts';
import type { ProcessIdentity } from '../tools/process-identity.ts';

export type { ClusterOptions } from './prepare.ts';

/** A free port that somebody else takes before the component does; the next try has other ports. */
const maxTries = 3;

/** A running cluster that belongs to this process: it ends with it. */
export class Cluster extends AttachedCluster {
  /**
   * Ends every component, the API server before etcd, and removes the data unless it is to be kept. At
   * once by default; with `graceMs`, components get that long to end by themselves.
   */
  async stop(graceMs = 0): Promise<void> {
    try {
      await this.supervisor.stop(graceMs);
    } catch (error) {
      // A supervisor that was killed takes its children along; what it leaves is swept.
      if (!this.supervisor.closed) {
        throw error;
      }
      await sweepRecord(this.description.id);
    }
    await this.close();
  }

  /** Lets the cluster run on when this process ends: until that other one has, or else somebody has to end it, see main.ts. */
  detach(until?: ProcessIdentity): Promise<void> {
    return this.supervisor.ask({ op: 'detach', ...(until !== undefined && { until }) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/**
 * Starts a control plane of this process's own on 127.0.0.1: etcd, API server, controller manager,
 * scheduler and, with KWOK, node pools. Builds the programs first when they are not there yet. Resolves
 * when it is ready for work. Throws, with the end of its log, when a component does not come up; then
 * nothing is left running.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  await sweepRecords();
  for (let tries = 1; ; tries += 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      const taken = error instanceof Error && error.message.includes('address already in use');
      if (!taken || tries === maxTries) {
        throw error;
      }
    }
  }
}

async function startOnce(options: ClusterOptions): Promise<Cluster> {
  const nodePools = await chooseNodePools(options);
  const programs = await ensurePrograms(options);
  const place = await choosePlace(options);
  // First of all: from here on somebody cleans up at once, whatever happens to this process.
  startSupervisor({
    ...place,
    recordPath: recordPathOf(place.id),
    removeData: removesData(options),
  });
  const supervisor = await SupervisorClient.connect(place.socketPath);
  try {
    const prepared = await prepareCluster(options, place, programs);
    const { description } = prepared;
    const connection = { description, supervisor, admin: await adminClient(description) };
    await bringUp({ prepared, connection, nodePools, options });
    await writeClusterDescription(descriptionPath(description.dataDir), description);
    return new Cluster(connection);
  } catch (error) {
    await supervisor.stop(0);
    throw error;
  }
}

/** None when nodes are not simulated. */
async function chooseNodePools(options: ClusterOptions): Promise<readonly NodePool[]> {
  return options.kwok === false ? [] : readNodePools(options.nodePoolsFile ?? defaultNodePoolsFile);
}
