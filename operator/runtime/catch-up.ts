// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { KubeObject, Resource } from '../core/object.ts';
import { hasStatus } from './api-error.ts';
import type { Cache } from './cache.ts';
import type { Client } from './client.ts';
import { keyOf } from './controller.ts';
import { toVersion } from './store.ts';

/** A kind that a new leader must know no worse than the one before it did. */
export interface CatchUp {
  readonly resource: Resource;
  /**
   * Objects that are decided on together, though each is written by itself. What the leader before has sent, and the API server has not done
   * yet, or who was stopped in the middle of it sends when it wakes, is to fail for each of them.
   */
  readonly isClaimed?: (object: KubeObject) => boolean;
}

/** What is caught up with. */
export interface CatchUpMeans {
  readonly client: Client;
  readonly cache: Cache;
  /** What is written on claimed objects: not the same twice, or it would be no write. */
  readonly claim: string;
}

/** Written at the same time. */
const MOST_CLAIMED = 20;

/**
 * Brings the store of a kind up to what the API server has now, whatever its watch has told: versions of all objects are asked for, and
 * those objects that are seen to be old. For who begins to decide on what others have decided on until a moment ago, when its watch
 * may be behind. Claimed objects get another version by that, which fences off all that was decided on the one before.
 *
 * @throws ApiError when the API server does not tell, or does not let it write.
 */
export async function catchUp({ resource, isClaimed }: CatchUp, means: CatchUpMeans): Promise<void> {
  const { client, cache } = means;
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
  if (isClaimed === undefined) return;
  const claimed = cache.list(resource).filter((one) => isClaimed(one));
  for (let i = 0; i < claimed.length; i += MOST_CLAIMED) {
    await Promise.all(claimed.slice(i, i + MOST_CLAIMED).map((one) => claimOne(one, resource, means)));
  }
}

/** The answer has what was written until then, so whatever a former leader has had done is known from now on. */
async function claimOne(
  object: KubeObject,
  resource: Resource,
  { client, cache, claim }: CatchUpMeans,
): Promise<void> {
  const body = { metadata: { uid: object.metadata.uid, annotations: { [ANNOTATIONS.ledBy]: claim } } };
  try {
    cache.observeWrite(await client.patch(resource, keyOf(object), { body }));
  } catch (error) {
    // Gone, or a namesake, which nobody can have decided on before.
    if (!hasStatus(error, 404) && !hasStatus(error, 409)) throw error;
  }
}
