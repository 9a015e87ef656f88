// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '#operator/core/object';
import type { Client } from '#operator/runtime/client';
import { watchEvents } from '#operator/runtime/watch-stream';

/** A watch that hands every object that is there, and every change, to its reader. */
export interface ObjectWatch {
  /** Resolves when all that was there has been handed over. */
  readonly started: Promise<void>;
  readonly stop: () => void;
}

/** Watches `resource` until stopped. The caller's clock is the one that measures, so nothing is queued here. */
export function watchObjects(
  client: Client,
  resource: Resource,
  onObject: (object: KubeObject) => void,
): ObjectWatch {
  const control = new AbortController();
  const { promise: started, resolve, reject } = Promise.withResolvers<void>();
  const read = async (): Promise<void> => {
    const stream = await client.watch(resource, {
      sendInitialEvents: true,
      timeoutSeconds: 1800,
      idleMs: 1_800_000,
      signal: control.signal,
    });
    for await (const event of watchEvents(stream)) {
      if (event.type === 'error') throw new Error(`watch ${resource.plural}: ${event.message}`);
      if (event.type !== 'bookmark') onObject(event.object);
      else if (event.endsInitial) resolve();
    }
  };
  read().catch((error: unknown) => {
    if (!control.signal.aborted) reject(error);
  });
  return { started, stop: () => control.abort() };
}
