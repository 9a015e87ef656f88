// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import { statusOnly } from '../plan.ts';
import type { RunPlan } from './observed.ts';
import type { Run } from './run.ts';
import type { Cause } from './status.ts';

/**
 * Why a Run is ended whose place another one takes over; undefined while it may go on. Only what the ledger says of the very
 * reservation that it was admitted by: one that is seen late speaks of an attempt that is over.
 */
export function preemption(run: Run, reservation: Reservation | undefined): Cause | undefined {
  if (reservation?.preemptedBy === undefined || !isAdmittedBy(run, reservation)) return undefined;
  const { namespace, name, priority } = reservation.preemptedBy;
  return {
    reason: RUN_REASONS.Preempted,
    message: `made room for Run ${namespace}/${name} of priority ${priority}; it goes back to the queue and spends no retry`,
  };
}

/** Whether a Run knows the very reservation: what is written there reaches it. */
export function isAdmittedBy({ status }: Run, { serial }: Reservation): boolean {
  return serial !== undefined && status?.usage?.open?.reservation === serial;
}

/** Counts, and tells once, that an attempt was ended for another Run: by age alone nobody would see who is ended again and again. */
export function countPreemption(run: Run, status: RunStatus, { reason, message }: Cause): RunPlan {
  const preemptions = (run.status?.preemptions ?? 0) + 1;
  return { ...statusOnly({ ...status, preemptions }), events: [{ type: 'Normal', reason, message }] };
}
