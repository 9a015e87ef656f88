// SPDX-License-Identifier: Apache-2.0
// What a platform does before it removes the chart: afterwards nobody would take our finalizer off the pods of Runs.
import { setTimeout as delay } from 'node:timers/promises';
import { FINALIZERS, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { Config } from './config.ts';
import type { KubeObject, Resource } from './core/object.ts';
import { hasStatus } from './runtime/api-error.ts';
import { type Client, createClient } from './runtime/client.ts';
import { keyOf } from './runtime/controller.ts';
import { LeaderElector } from './runtime/leader-election.ts';
import { boardOf, leadAmongShards } from './runtime/shards/lead.ts';
import { credentialsOf, identityOf, leaderElectionOf, readConfigOrExit } from './setup.ts';
import { createLog, type Log } from './telemetry/log.ts';

/** Those that we made: what else bears the label of a Run, outside of tenants, is nothing of ours, and may not be touched. */
const OUR_PODS = `${LABELS.runUid},${LABELS.managedBy}=${MANAGED_BY}`;
const PODS: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const DEPLOYMENTS: Resource = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
};
const DEPLOYMENT_NAME = 'nexusos-operator';
/** How long an operator may take to end. */
const PATIENCE_MS = 120_000;

/** Removes the operator where it is the chart's own: it would make pods anew. Elsewhere it is for others to end it. */
async function endOperator(client: Client, { namespace }: Config, log: Log): Promise<void> {
  try {
    const found = await client.delete(
      DEPLOYMENTS,
      { namespace, name: DEPLOYMENT_NAME },
      { propagation: 'Foreground' },
    );
    if (found !== undefined) log.info({ deployment: DEPLOYMENT_NAME }, 'ending the operator');
  } catch (error) {
    if (hasStatus(error, 404)) return;
    if (!hasStatus(error, 403)) throw error;
    log.info('may not end the operator; waits until it has ended');
  }
}

/** Leads in its place, so that none makes pods meanwhile. @throws Error when one still leads after some time. */
async function takeLead(client: Client, config: Config, log: Log): Promise<LeaderElector | undefined> {
  const election = leaderElectionOf(config);
  if (election === undefined) return undefined;
  const identity = `${identityOf(config)}_leave`;
  const elector = new LeaderElector({
    ...election,
    // Also those that work by shards, and do not lead, make pods: they see that it is over, and leave.
    ...leadAmongShards({ board: boardOf({ ...election, client, identity }), count: 0 }),
    client,
    identity,
    log,
    onChange: () => undefined,
  });
  elector.start();
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!elector.isLeader()) {
    if (performance.now() > deadlineMs) throw new Error('an operator still runs: end it first');
    await delay(100);
  }
  return elector;
}

/** Returns how many pods were held by it. */
async function letGoOfPods(client: Client): Promise<number> {
  const held: KubeObject[] = [];
  for await (const { items } of client.list(PODS, { labelSelector: OUR_PODS })) {
    held.push(...items.filter(({ metadata }) => metadata.finalizers?.includes(FINALIZERS.pod)));
  }
  const failed: unknown[] = [];
  for (const pod of held) await letGoOf(client, pod).catch((error: unknown) => failed.push(error));
  // One that cannot be let go keeps none of the others.
  if (failed.length > 0)
    throw new AggregateError(failed, `${failed.length} of ${held.length} pods are still held`);
  return held.length;
}

/** A pod that has changed since it was read is read again; one that is gone needs nothing more. */
async function letGoOf(client: Client, pod: KubeObject): Promise<void> {
  const { uid, resourceVersion, finalizers = [] } = pod.metadata;
  const metadata = { uid, resourceVersion, finalizers: finalizers.filter((one) => one !== FINALIZERS.pod) };
  try {
    await client.patch(PODS, keyOf(pod), { body: { metadata }, fieldManager: 'nexusos-pod' });
  } catch (error) {
    if (hasStatus(error, 404)) return;
    if (!hasStatus(error, 409)) throw error;
    const latest = await client.get(PODS, keyOf(pod));
    if (latest?.metadata.finalizers?.includes(FINALIZERS.pod) === true) await letGoOf(client, latest);
  }
}

async function main(): Promise<void> {
  const config = readConfigOrExit();
  const log = createLog({ level: config.logLevel });
  const client = createClient({ credentials: await credentialsOf(config) });
  await endOperator(client, config, log);
  const elector = await takeLead(client, config, log);
  const count = await letGoOfPods(elector === undefined ? client : client.withFence(elector.fence));
  log.info({ pods: count }, 'let go of all pods of Runs');
  await elector?.stop();
  await client.close();
}

await main();
