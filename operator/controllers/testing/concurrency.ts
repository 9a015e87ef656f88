// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '../../core/object.ts';
import type { WorkloadRig } from './workload-rig.ts';

/** What was seen of objects of one kind, one watch event after the other. */
export interface Tally {
  /** The most that `counts` held of at one time. */
  readonly most: number;
  /** UIDs of all that were ever seen. */
  readonly seen: ReadonlySet<string>;
  stop(): void;
}

interface WatchEvent {
  readonly type: string;
  readonly object: KubeObject;
}

/**
 * Counts objects of a namespace for which `counts` holds, at every event of a watch of the test's own: nothing that
 * happened between two looks is missed.
 */
export async function tally(
  rig: WorkloadRig,
  target: { readonly resource: Resource; readonly namespace: string },
  counts: (object: KubeObject) => boolean,
): Promise<Tally> {
  const live = new Set<string>();
  const seen = new Set<string>();
  const ends = new AbortController();
  const state = { most: 0, seen, stop: () => ends.abort() };
  const stream = await rig.client.watch(target.resource, {
    namespace: target.namespace,
    resourceVersion: (await newestVersion(rig, target)) ?? '0',
    timeoutSeconds: 600,
    idleMs: 600_000,
    signal: ends.signal,
  });
  const follow = async () => {
    for await (const { type, object } of eventsOf(stream)) {
      const { uid = '' } = object.metadata;
      seen.add(uid);
      if (type !== 'DELETED' && counts(object)) live.add(uid);
      else live.delete(uid);
      state.most = Math.max(state.most, live.size);
    }
  };
  follow().catch(() => undefined);
  return state;
}

async function newestVersion(
  rig: WorkloadRig,
  { resource, namespace }: { readonly resource: Resource; readonly namespace: string },
): Promise<string | undefined> {
  for await (const page of rig.client.list(resource, { namespace })) return page.resourceVersion;
  return undefined;
}

async function* eventsOf(stream: AsyncIterable<Buffer>): AsyncGenerator<WatchEvent> {
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = JSON.parse(line) as WatchEvent;
      if (event.type !== 'BOOKMARK') yield event;
    }
  }
}
