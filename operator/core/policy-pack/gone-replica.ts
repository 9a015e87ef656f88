// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../object.ts';
import { type Plan, removalOf, type Result, statusOnly } from '../plan.ts';

/** Nobody is silent for so long and comes back, but a machine that was asleep: that one tells anew. */
export const GONE_AFTER_MS = 10 * 60_000;

/**
 * Removes what a process has told that ended without taking it back; its Lease goes with it. What a pod has told goes with the pod; who runs outside
 * of the cluster and is killed leaves it behind. `silentMs`: for how long its Lease has not changed, or how long we have known it without one.
 */
export function planGoneReplica(replica: KubeObject, silentMs: number): Plan<undefined> {
  const owners = replica.metadata.ownerReferences ?? [];
  if (owners.length > 0) return statusOnly(undefined);
  if (silentMs < GONE_AFTER_MS) return statusOnly(undefined, againIn(GONE_AFTER_MS - silentMs));
  return { ...statusOnly(undefined), remove: [{ ...removalOf(replica), propagation: 'Background' }] };
}

function againIn(afterMs: number): Result {
  return { kind: 'requeueAfter', afterMs, why: 'it may have ended without a word' };
}
