// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '#operator/runtime/client';
import { watchObjects } from './object-watch.ts';
import { namespaceOf, RUNS, runOf } from './run-world.ts';

/** Single Runs, each of which is created when the one before it was admitted. */
export interface Singles {
  readonly names: readonly string[];
  /** The tenant of each of them, in turn. */
  readonly tenants: readonly string[];
  /** How long it is waited before each: without a pause the ledger of one tenant puts passes together. */
  readonly pauseMs?: number;
}

/** From the answer to the creation of a Run until a watch shows it admitted, in milliseconds, one Run at a time. */
export async function millisecondsUntilAdmitted(
  client: Client,
  { names, tenants, pauseMs = 0 }: Singles,
): Promise<readonly number[]> {
  const admitted = new Set<string>();
  const waits = new Map<string, () => void>();
  const [only, ...others] = tenants;
  // What happens to Runs of other tenants must not keep this process busy.
  const watched = only !== undefined && others.length === 0 ? { namespace: namespaceOf(only) } : {};
  const watch = watchObjects(client, { resource: RUNS, ...watched }, ({ metadata: { name }, ...object }) => {
    const { admittedAt } = (object['status'] ?? {}) as { readonly admittedAt?: string };
    if (admittedAt === undefined) return;
    admitted.add(name);
    waits.get(name)?.();
  });
  await watch.started;
  const samples: number[] = [];
  for (const [number, name] of names.entries()) {
    if (pauseMs > 0) await delay(pauseMs);
    await client.create(RUNS, runOf(tenants[number % tenants.length] ?? '', name), 'bench');
    const answeredAt = performance.now();
    const { promise: isAdmitted, resolve } = Promise.withResolvers<void>();
    waits.set(name, resolve);
    if (!admitted.has(name)) await Promise.race([isAdmitted, watch.broken]);
    samples.push(performance.now() - answeredAt);
  }
  watch.stop();
  return samples;
}
