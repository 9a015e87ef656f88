// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '#operator/core/object';
import type { Client } from '#operator/runtime/client';
import { watchEvents } from '#operator/runtime/watch-stream';

/** A watch that hands every object that is there, and every change, to its reader. */
export interface ObjectWatch {
  /** Resolves when all that was there has been handed over. */
  readonly started: Promise<void>;
  /** Rejects when it breaks before it is stopped; who waits for what it tells waits for this beside. */
  readonly broken: Promise<never>;
  readonly stop: () => void;
}

/** What is watched: a kind, everywhere or in one namespace. */
export interface Watched {
  readonly resource: Resource;
  readonly namespace?: string;
}

/** Watches until stopped; an object may be handed over more than once. The caller's clock is the one that measures, so nothing is queued here. */
export function watchObjects(
  client: Client,
  { resource, namespace }: Watched,
  onObject: (object: KubeObject) => void,
): ObjectWatch {
  const control = new AbortController();
  const { promise: started, resolve, reject } = Promise.withResolvers<void>();
  const { promise: broken, reject: breaks } = Promise.withResolvers<never>();
  broken.catch(() => undefined);
  const read = async (): Promise<void> => {
    const stream = await client.watch(resource, {
      ...(namespace !== undefined && { namespace }),
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
  const fail = (error: unknown): void => {
    if (control.signal.aborted) return;
    reject(error);
    breaks(error);
  };
  const readOn = async (): Promise<void> => {
    // The API server ends a watch that reads more slowly than others write: then all is handed over once more.
    while (!control.signal.aborted) await read();
  };
  readOn().catch(fail);
  return { started, broken, stop: () => control.abort() };
}
