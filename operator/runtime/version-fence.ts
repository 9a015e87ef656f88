// SPDX-License-Identifier: Apache-2.0
import { type KubeObject, refOf, type Resource } from '../core/object.ts';
import { ApiError } from './api-error.ts';
import type { Cache } from './cache.ts';
import type { Client } from './client.ts';
import { keyOf, keyString } from './controller.ts';
import type { GroupCount } from './group-count.ts';

/** Where a fence looks, and what learns from it. */
export interface VersionFenceOptions {
  readonly client: Pick<Client, 'get'>;
  readonly cache: Pick<Cache, 'observeWrite' | 'observeRemoval' | 'isNewest'>;
  readonly resource: Resource;
  /** Those who are being checked: all fences of one kind share it. */
  readonly checking: GroupCount;
  /** Fairness group of an object, usually its tenant. */
  readonly groupOf: (object: KubeObject) => string;
}

/** Asked before each write of a pass. */
export interface WriteFence {
  /** @throws ApiError when nothing may be written any more. */
  check(): Promise<void>;
}

/** So many groups may each have somebody who asks for himself: more, and a question that serves them all is cheaper by far. */
const FEW = 3;
/** So many of a group may each ask for themselves: who starts a few at once is no crowd, and waits for nobody else's. */
const FEW_OF_GROUP = 4;

/**
 * Makes sure that what one pass writes was decided on the newest version of its object. A write of the object itself
 * proves it, since that carries its resourceVersion; so does a watch that tells of another write, which this process has sent meanwhile. A pass
 * with neither asks the API server once, before the first thing that it really writes. A pass that writes nothing asks nothing.
 *
 * To wait for the watch takes longer than to ask, and saves a question only where many wait together. The first few of a
 * fairness group ask at once: what another tenant writes must not have them wait. But more than a few groups that start at once are a crowd as well.
 */
export class VersionFence implements WriteFence {
  readonly #options: VersionFenceOptions;
  readonly #object: KubeObject;
  #isProven = false;

  constructor(options: VersionFenceOptions, object: KubeObject) {
    this.#options = options;
    this.#object = object;
  }

  /** The object was just written on the condition that it had this version. */
  proven(): void {
    this.#isProven = true;
  }

  /**
   * To be awaited before each write.
   *
   * @throws ApiError of status 409, reason Conflict, when the object has moved on or is another one by now; the cache has
   *   the new one then. Whatever the API server has to say when it cannot be asked.
   */
  async check(): Promise<void> {
    if (this.#isProven) return;
    const { checking, groupOf } = this.#options;
    const group = groupOf(this.#object);
    const ahead = checking.of(group);
    checking.enter(group);
    const isOfFew = ahead < FEW_OF_GROUP && checking.groups <= FEW;
    try {
      await this.#prove(isOfFew);
    } finally {
      checking.leave(group);
    }
    this.#isProven = true;
  }

  async #prove(isOfFew: boolean): Promise<void> {
    const { client, cache, resource } = this.#options;
    if (!isOfFew && (await cache.isNewest(this.#object))) return;
    const { uid, resourceVersion } = this.#object.metadata;
    const live = await client.get(resource, keyOf(this.#object));
    if (live?.metadata.uid === uid && live?.metadata.resourceVersion === resourceVersion) return;
    if (live !== undefined) cache.observeWrite(live);
    else if (uid !== undefined) cache.observeRemoval({ ...refOf(this.#object), uid });
    throw this.#movedOn();
  }

  #movedOn(): ApiError {
    const what = `${this.#object.kind} ${keyString(keyOf(this.#object))}`;
    const message = `${what} is not at version ${this.#object.metadata.resourceVersion ?? 'unknown'} any more`;
    return new ApiError({ status: 409, code: 'conflict', reason: 'Conflict', message });
  }
}
