// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { defined } from '../object.ts';
import { reservedCall } from '../run/calls.ts';
import { isFinished, phaseOf, type Run } from '../run/run.ts';
import { sessionDigest } from './sessions.ts';

/**
 * Reservations of Runs that were admitted and that no ledger knows, since it was deleted and made anew: they go on, so they
 * count before anybody else is admitted, also where that is more than is allowed. `keepers`: UIDs of those whose reservations are known.
 */
export function lostReservations(runs: readonly Run[], keepers: ReadonlySet<string>): readonly Reservation[] {
  const isLost = (run: Run) => isUnderWay(run) && !keepers.has(run.metadata.uid ?? '');
  return runs.filter(isLost).map(lostReservation);
}

function isUnderWay(run: Run): boolean {
  return phaseOf(run) !== 'Queued' && !isFinished(run);
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
