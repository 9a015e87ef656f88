// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { defined } from '../object.ts';
import type { Candidate } from './admit.ts';
import { reservationBytes } from './ledger-size.ts';

/** What an admission of `candidate` adds to the ledger. */
export function bytesOf(candidate: Candidate, reservation = reservationFor(candidate)): number {
  return reservationBytes(reservation) + (candidate.keyBytes ?? 0);
}

/** The reservation that `candidate` gets. */
export function reservationFor(candidate: Candidate): Reservation {
  const { uid, namespace, name, agent, attempt, gpu, session, revision, reserves } = candidate;
  const { levels, call, pool, pods } = candidate;
  const devices = gpu === undefined ? {} : { gpuClass: gpu.class, gpus: gpu.count };
  const others = defined({ pods, session, revision, levels, call, pool });
  return { uid, namespace, name, agent, attempt, ...devices, ...reserves, ...others };
}

/** Whether a Run was never started: what is tried or taken up again was counted before. */
export function isNew({ attempt }: Candidate): boolean {
  return attempt === 1;
}
