// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '../../core/object.ts';
import type { Key, Reader } from '../../runtime/controller.ts';

/**
 * An object where it matters that there is none: what no watch has told of is asked of the API server itself. Not for kinds of
 * which a watch keeps only a part.
 *
 * @throws ApiError when the API server cannot say.
 */
export async function find(resource: Resource, key: Key, read: Reader): Promise<KubeObject | undefined> {
  return read.get(resource, key) ?? (await read.live(resource, key));
}
