// SPDX-License-Identifier: Apache-2.0
import type { Resource } from '../core/object.ts';
import type { Cache } from './cache.ts';
import type { Client } from './client.ts';
import { keyOf } from './controller.ts';
import { toVersion } from './store.ts';

/**
 * Brings the store of a kind up to what the API server has now, whatever its watch has told: versions of all objects are asked for, and
 * those objects that are seen to be old. For who begins to decide on what others have decided on until a moment ago, when its watch
 * may be behind.
 *
 * @throws ApiError when the API server does not tell.
 */
export async function catchUp(
  resource: Resource,
  { client, cache }: { readonly client: Client; readonly cache: Cache },
): Promise<void> {
  for await (const { items } of client.list(resource, { metadataOnly: true })) {
    for (const { metadata } of items) {
      const known = cache.get(resource, keyOf({ ...resource, metadata }));
      const isOld =
        known?.metadata.uid !== metadata.uid ||
        toVersion(known?.metadata.resourceVersion) < toVersion(metadata.resourceVersion);
      const live = isOld ? await client.get(resource, keyOf({ ...resource, metadata })) : undefined;
      if (live !== undefined) cache.observeWrite(live);
    }
  }
}
