// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { defined } from '../object.ts';
import { reservedCall } from '../run/calls.ts';
import { isFinished, phaseOf, type Run } from '../run/run.ts';
import { sessionDigest } from './sessions.ts';

/**
 * Reservations of Runs that were admitted and that no ledger knows, since it was deleted and made anew: they go on, so they
 * count before anybody else is admitted, also where that is more than is allowed.
 */
export function lostReservations(runs: readonly Run[]): readonly Reservation[] {
  return runs.filter((run) => !isFinished(run) && phaseOf(run) !== 'Queued').map(lostReservation);
}

/**
 * Without a serial: who has not yet seen the end of a Run takes it for lost where its reservation was just given back, and its attempt
 * must not be counted again.
 */
function lostReservation(run: Run): Reservation {
  const { metadata, spec, status = {} } = run;
  const { uid = '', namespace = '', name } = metadata;
  const { gpu, gang, attempt = 1 } = status;
  return {
    uid,
    namespace,
    name,
    agent: spec.agentRef.name,
    attempt: Math.max(1, attempt),
    ...reservedCall(run),
    ...defined({ session: sessionDigest(run), pods: gang?.pods }),
    ...(gpu && gpu.count > 0 && { gpuClass: gpu.class, gpus: gpu.count }),
  };
}
