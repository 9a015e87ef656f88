// SPDX-License-Identifier: Apache-2.0
import type { Resource } from '../../core/object.ts';
import type { Client, Selection } from '../client.ts';
import { type WatchEvent, watchEvents } from '../watch-stream.ts';

/** A change that a watch told. */
export type Seen = Extract<WatchEvent, { type: 'put' | 'delete' }>;

/** A watch of a test's own. */
export interface Following {
  /** Ends the watch. @throws what broke it before, or what a telling threw, if something did: then not everything was seen. */
  stop(): Promise<void>;
}

/** What is followed: everything that is selected and changes from now on. */
export interface Followed extends Pick<Selection, 'namespace' | 'labelSelector'> {
  readonly client: Client;
  readonly resource: Resource;
}

/**
 * Has `tell` called with every change of what is followed, in order; resolves when the watch is open. An API server ends a watch
 * that is slow to read, as on a busy machine: it goes on from where it was then, and misses nothing.
 */
export async function follow(followed: Followed, tell: (seen: Seen) => void): Promise<Following> {
  const { client, resource, ...selection } = followed;
  const ends = new AbortController();
  const times = { timeoutSeconds: 1800, idleMs: 1_800_000, signal: ends.signal };
  let resourceVersion = await newestVersion(followed);
  let stream = await client.watch(resource, { ...selection, resourceVersion, ...times });
  const readOn = async () => {
    for await (const event of watchEvents(stream)) {
      if (event.type === 'error') throw new LostTrackError(event.message);
      if (event.type === 'bookmark') continue;
      resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
      telling(() => tell(event));
    }
  };
  const read = async () => {
    while (!ends.signal.aborted) {
      await readOn().catch((error: unknown) => {
        if (error instanceof LostTrackError || error instanceof TellingError) throw error;
      });
      stream = await client.watch(resource, { ...selection, resourceVersion, ...times });
    }
  };
  let broken: unknown;
  const reading = read().catch((error: unknown) => {
    if (!ends.signal.aborted || error instanceof TellingError) broken = error;
  });
  return {
    async stop() {
      ends.abort();
      await reading;
      if (broken !== undefined) throw broken;
    },
  };
}

/** The API server does not know any more what happened after what was seen last. */
class LostTrackError extends Error {}

/** Who is told has failed, and not the connection. */
class TellingError extends Error {}

function telling(tell: () => void): void {
  try {
    tell();
  } catch (error) {
    throw new TellingError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function newestVersion({ client, resource, ...selection }: Followed): Promise<string> {
  const { value } = await client.list(resource, selection).next();
  return value?.resourceVersion ?? '0';
}
