// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '#operator/core/object';
import { startOperator } from '../system/operator-process.ts';
import { type BenchEnvironment, isReady, sampleTenant, TENANTS } from './environment.ts';
import { watchObjects } from './object-watch.ts';
import type { Figure } from './report.ts';
import { percentile } from './statistics.ts';

/**
 * From the answer to a change of a Tenant's spec until a watch shows that the operator has acted on it, one change at a
 * time on an unloaded control plane.
 */
export async function measureLatency(
  environment: BenchEnvironment,
  changes: number,
): Promise<readonly Figure[]> {
  const { cluster, client } = environment;
  const operator = await startOperator(cluster);
  const waits = new Map<number, () => void>();
  let settled = 0;
  const watch = watchObjects(client, { resource: TENANTS }, (tenant) => {
    if (!isReady(tenant)) return;
    settled = tenant.metadata.generation ?? 0;
    waits.get(settled)?.();
  });
  await watch.started;
  const until = (generation: number): Promise<void> =>
    settled >= generation ? Promise.resolve() : new Promise((resolve) => waits.set(generation, resolve));

  const created = await client.create(TENANTS, sampleTenant('latency'), 'bench');
  await until(generationOf(created));
  const samples: number[] = [];
  for (let change = 0; change < changes; change += 1) {
    const body = { spec: { displayName: `change ${change}` } };
    const changed = await client.patch(TENANTS, { name: 'latency' }, { body });
    const answeredAt = performance.now();
    await until(generationOf(changed));
    samples.push(performance.now() - answeredAt);
  }
  watch.stop();
  await operator.stop();
  return [
    { name: 'change to reconciled, p50', value: percentile(samples, 0.5), unit: 'ms' },
    { name: 'change to reconciled, p99', value: percentile(samples, 0.99), unit: 'ms' },
  ];
}

function generationOf(object: KubeObject): number {
  return object.metadata.generation ?? 0;
}
