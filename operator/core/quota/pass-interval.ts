// SPDX-License-Identifier: Apache-2.0
import { MAX_LEDGER_BYTES } from './ledger-size.ts';
import type { Ledger } from '../tenant/tenant.ts';

/**
 * A ledger is not decided on more often than this, in milliseconds. What happens in between is decided together, so that a busy
 * tenant costs few writes of its ledger and not one or two for each Run.
 */
const LEAST_MS = 50;
/**
 * Bytes of one ledger that are written in a millisecond at most: 1 MB a second. etcd keeps what was written until it is compacted,
 * every five minutes, and takes 2 GB by default: a single tenant with a full ledger could fill it, and nobody could write any more.
 */
const BYTES_PER_MS = 1000;
/** What a reservation of usual names takes, in bytes, and an idempotency key. */
const RESERVATION_BYTES = 250;
const KEY_BYTES = 270;

/** The longest that a ledger waits for its next pass, in milliseconds. */
export const LONGEST_INTERVAL_MS = MAX_LEDGER_BYTES / BYTES_PER_MS;

/** How long the next pass of a ledger waits after the last one, in milliseconds: the longer, the more has to be written. */
export function passIntervalMs({ status }: Ledger): number {
  const { reservations = [], keys = [] } = status ?? {};
  const bytes = reservations.length * RESERVATION_BYTES + keys.length * KEY_BYTES;
  return Math.min(Math.max(LEAST_MS, bytes / BYTES_PER_MS), LONGEST_INTERVAL_MS);
}
