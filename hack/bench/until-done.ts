// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeObject, Resource } from '#operator/core/object';
import type { Client } from '#operator/runtime/client';
import { watchObjects } from './object-watch.ts';
import { inParallel } from './statistics.ts';

const TIMEOUT_MS = 900_000;

/** Objects of one kind, no two of one name, and when each is done. */
export interface Load {
  readonly resource: Resource;
  readonly objects: readonly KubeObject[];
  /** How many are created at a time. */
  readonly width: number;
  /** Throws for one that never will be. */
  readonly isDone: (object: KubeObject) => boolean;
}

/**
 * How long it takes until objects that are created as fast as they are taken are all done, in seconds.
 *
 * @throws Error when one never will be, or they are not within a quarter of an hour.
 */
export async function secondsUntilDone(client: Client, load: Load): Promise<number> {
  const { resource, objects, width, isDone } = load;
  const names = new Set(objects.map(({ metadata }) => metadata.name));
  const done = new Set<string>();
  const { promise: allDone, resolve } = Promise.withResolvers<void>();
  const watch = watchObjects(client, { resource }, (object) => {
    const { name } = object.metadata;
    if (names.has(name) && isDone(object)) done.add(name);
    if (done.size === names.size) resolve();
  });
  await watch.started;
  const startedAt = performance.now();
  await inParallel(objects, width, (object) => client.create(resource, object, 'bench'));
  const timeout = delay(TIMEOUT_MS, undefined, { ref: false }).then(() => {
    throw new Error(`only ${done.size} of ${names.size} ${resource.plural} are done in time`);
  });
  await Promise.race([allDone, timeout, watch.broken]);
  watch.stop();
  return (performance.now() - startedAt) / 1000;
}
