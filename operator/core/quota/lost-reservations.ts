// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { defined } from '../object.ts';
import { reservedCall } from '../run/calls.ts';
import { isFinished, phaseOf, type Run } from '../run/run.ts';
import { sessionDigest } from './sessions.ts';

/** What a ledger says of those who hold a place. */
export interface Keeping {
  /** When the ledger was made, as the API server says it; undefined where that is not known. */
  readonly madeAt: string | undefined;
  /** UIDs of those whose reservations it has. */
  readonly keepers: ReadonlySet<string>;
}

/**
 * Reservations of Runs that were admitted and that no ledger knows, since it was deleted and made anew: they go on, so they
 * count before anybody else is admitted, also where that is more than is allowed.
 *
 * Of a Run that is younger than the ledger none is lost: it was given back, and what says that the Run has ended is not seen yet. Operators see
 * ledgers and Runs at different moments, most of all who has just got the tenant of another one.
 */
export function lostReservations(runs: readonly Run[], { madeAt, keepers }: Keeping): readonly Reservation[] {
  const isLost = (run: Run) =>
    isUnderWay(run) && !keepers.has(run.metadata.uid ?? '') && !isYounger(run, madeAt);
  return runs.filter(isLost).map(lostReservation);
}

/** Of one second, nobody can tell. */
function isYounger({ metadata: { creationTimestamp } }: Run, than: string | undefined): boolean {
  if (creationTimestamp === undefined || than === undefined) return false;
  return Date.parse(creationTimestamp) > Date.parse(than);
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
