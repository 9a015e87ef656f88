// SPDX-License-Identifier: Apache-2.0
import type { Resource } from '#operator/core/object';
import type { BenchEnvironment } from './environment.ts';
import { inParallel } from './statistics.ts';

const CONFIG_MAPS: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
const WIDTH = 16;

/** How long `count` plain creates of small objects take, 16 at a time on one shared pool of connections. */
export async function rawWriteSeconds({ client }: BenchEnvironment, count: number): Promise<number> {
  const numbers = Array.from({ length: count }, (_, index) => index);
  const startedAt = performance.now();
  await inParallel(numbers, WIDTH, (number) => {
    const metadata = { name: `floor-${number}`, namespace: 'default' };
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { number: String(number) } };
    return client.create(CONFIG_MAPS, body, 'bench');
  });
  return (performance.now() - startedAt) / 1000;
}
