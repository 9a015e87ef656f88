// SPDX-License-Identifier: Apache-2.0
import type { AnyController } from './controller.ts';
import { GroupCount } from './group-count.ts';
import { Reconciler, type ReconcilerOptions } from './reconcile.ts';
import type { Fence } from './request-limit.ts';

/** What all reconcilers of a process work with. */
export type ReconcilersOptions = Omit<ReconcilerOptions, 'controller' | 'checking'>;

/** Makes the reconcilers of a process: with shards, each controller has one for each of them. */
export class Reconcilers {
  readonly #options: ReconcilersOptions;
  /** Who is being checked, by controller: one crowd of all shards, since one watch proves it to all of them. */
  readonly #checking = new Map<string, GroupCount>();

  constructor(options: ReconcilersOptions) {
    this.#options = options;
  }

  /** One that writes while `fence` holds; without a fence, always. */
  of(controller: AnyController, fence: Fence | undefined): Reconciler {
    const { client } = this.#options;
    const checking = this.#checking.get(controller.name) ?? new GroupCount();
    this.#checking.set(controller.name, checking);
    const fenced = fence === undefined ? client : client.withFence(fence);
    return new Reconciler({ ...this.#options, client: fenced, checking, controller });
  }
}
