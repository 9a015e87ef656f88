// SPDX-License-Identifier: Apache-2.0
import type { WorkQueueOptions } from './workqueue.ts';

/** How many workers of a controller may be at one tenant's. */
export type WorkerShares = Required<Pick<WorkQueueOptions, 'mostOfGroup' | 'mostBesideOthers'>>;

/**
 * Of the workers of a controller, all but an eighth may be at one tenant's: each waits for answers of the API server most of the time, and another tenant, of which
 * something is to be done, must not wait for those.
 *
 * One of sixteen while others are there: what is asked of the API server at the same time waits for each other there, and each request brings on what the scheduler and
 * the nodes ask. So who starts one Run beside a tenant that starts and ends ten at once waits for one of these, and not for fourteen.
 */
export function workerShares(concurrency: number): WorkerShares {
  return {
    mostOfGroup: Math.max(1, concurrency - Math.ceil(concurrency / 8)),
    mostBesideOthers: Math.ceil(concurrency / 16),
  };
}
