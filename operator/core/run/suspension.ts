// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { statusOnly } from '../plan.ts';
import type { RunPlan } from './observed.ts';
import type { Run } from './run.ts';
import { type Cause, queuedStatus } from './status.ts';

/** Why a Run waits that its user has suspended. */
export const SUSPENDED: Cause = {
  reason: RUN_REASONS.Suspended,
  message: 'paused by spec.suspend; it goes back to the queue when that is false, and spends no retry',
};

/**
 * Gives back a reservation that a Run will not use, and says why. Its attempt counts as started: a ledger that is seen late
 * must not admit the Run by it once more, when somebody else has its place.
 */
export function giveBack(
  run: Run,
  { attempt }: Reservation,
  { now, ...cause }: Cause & { readonly now: Date },
): RunPlan {
  return statusOnly({ ...queuedStatus(run, { position: undefined, ...cause }, now), attempt });
}
