// SPDX-License-Identifier: Apache-2.0
import type { RunStatus } from '#crds/v1alpha1/run';
import type { Run } from './run.ts';
import type { WaitingPlace } from './status.ts';

/** Runs up to this place are told it exactly, if not at once. */
const NEAR = 10;
/** How long it takes until a place is looked at again. */
const NEAR_MS = 5000;
const FAR_MS = 30_000;
/** The same of a place that has stood for long: a quarter of that time, up to this. */
const STOOD_PART = 4;
const STOOD_MS = 60_000;
/** How long it takes until a Run looks again that was told by nobody to. */
const UNASKED_MS = 900_000;
/**
 * How long a place that was written stands at least: as long as the Run had waited by then, within these bounds. So a
 * Run that waits for a minute or two costs one more write, and one that waits for an hour some ten, whatever moves ahead.
 */
const STANDS_MS = { least: 30_000, most: 300_000 };
/** Farther back, a place is written again when it has come down to this part of it, or gone up likewise. */
const FAR_CHANGE = 2;

/**
 * Whether the place of a waiting Run is to be written: at first, when the reason is another one, and then when it is old
 * and has changed enough.
 */
export function isWorthWriting(run: Run, place: WaitingPlace, now: Date): boolean {
  return untilWorthMs(run, place, now) <= 0;
}

/** In how many milliseconds that will be so, if the place stays what it is; infinite while it is told as it should be. */
export function untilWorthMs(run: Run, place: WaitingPlace, now: Date): number {
  const written = run.status?.queue;
  if (run.status?.phase !== 'Queued' || written === undefined) return 0;
  const standsMs = standsForMs(written, place);
  // Asked of all who wait whenever their queue moves: dates are read of those alone who have news.
  return standsMs === Infinity ? Infinity : standsMs - (now.getTime() - Date.parse(written.updatedAt));
}

/** How long what is written stands from its writing on, now that the place is this one. */
function standsForMs(written: NonNullable<RunStatus['queue']>, place: WaitingPlace): number {
  if (written.reason !== place.reason) return intervalMs(place, written.position);
  const isTold = !hasMoved(written.position, place.position) && written.message.includes(place.current ?? '');
  if (isTold) return Infinity;
  const waited = Date.parse(written.updatedAt) - Date.parse(written.since);
  return Math.min(Math.max(waited, STANDS_MS.least), STANDS_MS.most);
}

function hasMoved(from: number | undefined, to: number | undefined): boolean {
  if (from === to) return false;
  if (from === undefined || to === undefined || isNear(to)) return true;
  return Math.max(from, to) >= Math.min(from, to) * FAR_CHANGE;
}

/**
 * When a Run that waits in a queue looks at its place again by itself, in milliseconds from now: when what it tells is out of date, and
 * long after that. When its queue has moved it is woken (`newsOf`).
 */
export function nextLookInQueueMs(run: Run, place: WaitingPlace, now: Date): number {
  const untilMs = untilWorthMs(run, place, now);
  return untilMs > 0 ? Math.min(untilMs, UNASKED_MS) : UNASKED_MS;
}

/** The same of one that waits in no queue yet, in milliseconds: nobody wakes it. */
export function nextLookMs(run: Run, place: WaitingPlace, now: Date): number {
  const interval = intervalMs(place, run.status?.queue?.position);
  const age = now.getTime() - Date.parse(run.status?.queue?.updatedAt ?? '');
  // Written by this pass for the first time, or by a clock that went back.
  if (!(age >= 0)) return interval;
  // Looked at and found good: a whole interval again, or more.
  if (age >= interval) return Math.max(interval, Math.min(age / STOOD_PART, STOOD_MS));
  return interval - age;
}

function intervalMs({ position }: WaitingPlace, written: number | undefined): number {
  const isSettled = isNear(position) || written === undefined;
  return isSettled ? NEAR_MS : FAR_MS;
}

/** Whether a Run at that place, or at none, is told exactly where it stands. */
export function isNear(position: number | undefined): boolean {
  return position === undefined || position <= NEAR;
}
