// SPDX-License-Identifier: Apache-2.0
import type { Run } from './run.ts';
import type { WaitingPlace } from './status.ts';

/** Runs up to this place are told it exactly, if not at once. */
const NEAR = 10;
/** How long it takes until a place is looked at again. */
const NEAR_MS = 5000;
const FAR_MS = 30_000;
/**
 * The same of a place that has stood for long: a quarter of that time, up to this. Thousands who wait for hours would otherwise be most of what the
 * operator does. Those near the head are woken when their queue moves (`isNear`), so this is for what changes their reason and nothing else.
 */
const STOOD_PART = 4;
const STOOD_MS = 60_000;
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
  const written = run.status?.queue;
  if (run.status?.phase !== 'Queued' || written === undefined) return true;
  const age = now.getTime() - Date.parse(written.updatedAt);
  if (written.reason !== place.reason) return age >= intervalMs(place, written.position);
  const waited = Date.parse(written.updatedAt) - Date.parse(written.since);
  const stands = Math.min(Math.max(waited, STANDS_MS.least), STANDS_MS.most);
  const isOld = hasMoved(written.position, place.position) || !written.message.includes(place.current ?? '');
  return age >= stands && isOld;
}

function hasMoved(from: number | undefined, to: number | undefined): boolean {
  if (from === to) return false;
  if (from === undefined || to === undefined || isNear(to)) return true;
  return Math.max(from, to) >= Math.min(from, to) * FAR_CHANGE;
}

/** When the place of a waiting Run is to be looked at again, in milliseconds from now. */
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
