// SPDX-License-Identifier: Apache-2.0
import type { Resource } from '#operator/core/object';
import type { Client } from '#operator/runtime/client';
import { PLATFORM_NAMESPACE } from '../system/chart.ts';
import { type OperatorProcess, startOperator } from '../system/operator-process.ts';
import { type BenchEnvironment, isReady, sampleTenant, TENANTS } from './environment.ts';
import { watchObjects } from './object-watch.ts';
import type { Figure } from './report.ts';

const LEASES: Resource = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};

/** The leader is ended with SIGKILL `rounds` times; each time, how long until its follower makes a new tenant Ready. */
export async function measureFailover(
  environment: BenchEnvironment,
  rounds: number,
): Promise<readonly Figure[]> {
  const { cluster, client } = environment;
  const operators = new Map<string, OperatorProcess>();
  const start = async (identity: string): Promise<void> => {
    operators.set(identity, await startOperator(cluster, { env: { NEXUSOS_IDENTITY: identity } }));
  };
  await start('bench-0');
  await start('bench-1');
  const seconds: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await readyTenant(client, `before-${round}`);
    const leader = await leaderOf(client);
    const operator = operators.get(leader);
    if (operator === undefined) throw new Error(`nobody knows the leader ${leader}`);
    const killedAt = performance.now();
    await operator.kill();
    operators.delete(leader);
    await readyTenant(client, `after-${round}`);
    seconds.push((performance.now() - killedAt) / 1000);
    await start(`bench-${round + 2}`);
  }
  for (const operator of operators.values()) await operator.stop();
  return [
    {
      name: `leader killed to next tenant Ready, worst of ${rounds}`,
      value: Math.max(...seconds),
      unit: 's',
      bar: { atMost: 15 },
    },
  ];
}

async function leaderOf(client: Client): Promise<string> {
  const lease = await client.get(LEASES, { namespace: PLATFORM_NAMESPACE, name: 'nexusos-operator' });
  return (lease?.['spec'] as { readonly holderIdentity?: string } | undefined)?.holderIdentity ?? '';
}

async function readyTenant(client: Client, name: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const watch = watchObjects(client, { resource: TENANTS }, (tenant) => {
    if (tenant.metadata.name === name && isReady(tenant)) resolve();
  });
  await watch.started;
  await client.create(TENANTS, sampleTenant(name), 'bench');
  await promise;
  watch.stop();
}
