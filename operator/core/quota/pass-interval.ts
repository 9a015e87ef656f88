// SPDX-License-Identifier: Apache-2.0
import { MAX_LEDGER_BYTES } from './ledger-size.ts';
import type { Ledger } from '../tenant/tenant.ts';

/**
 * A ledger is not decided on more often than this, in milliseconds. What happens in between is decided together, so that a busy
 * tenant costs few writes of its ledger and not one or two for each Run.
 */
export const LEAST_MS = 50;
/**
 * What a write of a ledger costs the API server grows with it: some 10 ms of processor time at 140 reservations, more than all the rest of a Run. So the
 * larger it is, the less often it is decided on, down to once a second from 45 reservations on: a tenant takes a hundredth of the API server for its
 * ledger, and not a fifth. While many Runs come at once each write repeats those before it, so twice as long between them is half of all that is
 * written. A Run that comes after a moment of rest waits for nothing all the same.
 */
const CHEAP_BYTES = 1250;
const DEAR_MS_PER_BYTE = 0.1;
const DEAREST_MS = 1000;
/**
 * Bytes of one ledger that are written in a millisecond at most: 1 MB a second. etcd keeps what was written until it is compacted,
 * every five minutes, and takes 2 GB by default: a single tenant with a full ledger could fill it, and nobody could write any more.
 */
const BYTES_PER_MS = 1000;
/**
 * A pass takes one or two microseconds for each Run that waits or holds a place, and more where all have changed, and nobody else's can be
 * looked at meanwhile. So it is made so seldom that a tenant with a long queue has a twentieth of the time, and not all of it.
 */
const MS_PER_RUN = 0.05;
/** What a reservation of usual names takes, in bytes, and an idempotency key. */
const RESERVATION_BYTES = 250;
const KEY_BYTES = 270;

/** The longest that a ledger waits for its next pass, in milliseconds. */
export const LONGEST_INTERVAL_MS = MAX_LEDGER_BYTES / BYTES_PER_MS;

/**
 * The same after a pass that left nobody waiting: twice as long, up to a second. Nothing that it may give back is wanted by then, so who comes next waits
 * once, and half as many writes repeat those who are under way. A ledger with few of them rests no longer.
 */
export function easedMs(intervalMs: number): number {
  if (intervalMs <= LEAST_MS) return intervalMs;
  return Math.max(intervalMs, Math.min(2 * intervalMs, DEAREST_MS));
}

/**
 * How long the next pass of a ledger waits after the last one, in milliseconds: the longer, the more has to be written, and the
 * more Runs were decided on by the last one.
 */
export function passIntervalMs({ status }: Ledger, runs = 0): number {
  const { reservations = [], keys = [] } = status ?? {};
  const bytes = reservations.length * RESERVATION_BYTES + keys.length * KEY_BYTES;
  const dear = Math.min((bytes - CHEAP_BYTES) * DEAR_MS_PER_BYTE, DEAREST_MS);
  const wanted = Math.max(LEAST_MS, dear, bytes / BYTES_PER_MS, runs * MS_PER_RUN);
  return Math.min(wanted, LONGEST_INTERVAL_MS);
}
