// SPDX-License-Identifier: Apache-2.0
import type { Run } from './run.ts';
import type { WaitingPlace } from './status.ts';

/** Runs up to this place are told it exactly, if not at once. */
const NEAR = 10;
/** How long a place stands before it is written again. 5,000 waiting Runs must not be 5,000 writes for each one ahead. */
const NEAR_MS = 5000;
const FAR_MS = 30_000;
/** Farther back, a place is written again when it has changed by more than this part of it. */
const FAR_CHANGE = 0.2;

/** Whether the place of a waiting Run is to be written: at first, and then when it is old and has changed enough. */
export function isWorthWriting(run: Run, place: WaitingPlace, now: Date): boolean {
  const written = run.status?.queue;
  if (run.status?.phase !== 'Queued' || written === undefined) return true;
  const age = now.getTime() - Date.parse(written.updatedAt);
  if (age < intervalMs(place, written.position)) return false;
  return written.reason !== place.reason || hasMoved(written.position, place.position);
}

function hasMoved(from: number | undefined, to: number | undefined): boolean {
  if (from === to) return false;
  if (from === undefined || to === undefined || isNear(to)) return true;
  return Math.abs(from - to) > from * FAR_CHANGE;
}

/** When the place of a waiting Run is to be looked at again, in milliseconds from now. */
export function nextLookMs(run: Run, place: WaitingPlace, now: Date): number {
  const interval = intervalMs(place, run.status?.queue?.position);
  const age = now.getTime() - Date.parse(run.status?.queue?.updatedAt ?? '');
  // Just written, or looked at and found good: a whole interval again.
  if (!(age >= 0 && age < interval)) return interval;
  return interval - age;
}

function intervalMs({ position }: WaitingPlace, written: number | undefined): number {
  const isSettled = isNear(position) || written === undefined;
  return isSettled ? NEAR_MS : FAR_MS;
}

function isNear(position: number | undefined): boolean {
  return position === undefined || position <= NEAR;
}
