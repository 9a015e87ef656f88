// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../../core/object.ts';
import { isPodFinished } from '../../core/run/outcome.ts';
import type { Client } from '../../runtime/client.ts';
import { watchEvents } from '../../runtime/watch-stream.ts';
import { PODS } from '../shared/workloads.ts';

/** Pods of some label as they come and go. */
export interface LivePods {
  /** The most that were alive at one moment, of any namespace, each told in words. */
  readonly most: () => readonly string[];
  /** @throws what broke the watch, if it did: then nothing is known. */
  readonly stop: () => Promise<void>;
}

/**
 * Follows pods through one watch over all namespaces, from before any of `labelSelector` is made. It tells every change in the
 * order in which they were committed, so no moment is missed; lists, one for each namespace, would speak of different moments.
 */
export function followLivePods(client: Client, labelSelector: string): LivePods {
  const control = new AbortController();
  const live = new Map<string, string>();
  let most: readonly string[] = [];
  const read = async (): Promise<void> => {
    const { signal } = control;
    const options = { labelSelector, resourceVersion: '0', timeoutSeconds: 1800, idleMs: 1_800_000, signal };
    for await (const event of watchEvents(await client.watch(PODS, options))) {
      if (event.type === 'error') throw new Error(event.message);
      if (event.type === 'bookmark') continue;
      const { uid = '' } = event.object.metadata;
      if (event.type === 'delete' || isPodFinished(event.object)) live.delete(uid);
      else live.set(uid, words(event.object));
      if (live.size > most.length) most = [...live.values()];
    }
  };
  let broken: unknown;
  const reading = read()
    .then(() => Promise.reject(new Error('the watch has ended')))
    .catch((error: unknown) => {
      if (!control.signal.aborted) broken = error;
    });
  return {
    most: () => most,
    async stop() {
      control.abort();
      await reading;
      if (broken !== undefined) throw broken;
    },
  };
}

function words({ metadata, ...pod }: KubeObject): string {
  const { phase } = (pod['status'] ?? {}) as { readonly phase?: string };
  const leaving = metadata.deletionTimestamp === undefined ? '' : `, leaves at ${metadata.deletionTimestamp}`;
  return `${metadata.namespace}/${metadata.name}: ${phase ?? 'new'} since ${metadata.creationTimestamp}${leaving}`;
}
