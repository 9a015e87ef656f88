// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Ledger } from '../tenant/tenant.ts';
import { easedMs, LONGEST_INTERVAL_MS, passIntervalMs } from './pass-interval.ts';
import { fullLedger } from './testing/full-ledger.ts';

function repeated<T>(one: T | undefined, count: number): T[] {
  return one === undefined ? [] : Array.from({ length: count }, () => one);
}

/** A ledger with so many reservations and keys. */
function ledgerOf(reservations: number, keys: number): Ledger {
  const { status, ...rest } = fullLedger(1);
  const { reservations: [reservation] = [], keys: [key] = [] } = status ?? {};
  return {
    ...rest,
    status: { reservations: repeated(reservation, reservations), keys: repeated(key, keys) },
  };
}

const CASES: Readonly<
  Record<string, { readonly ledger: Ledger; readonly runs?: number; readonly want: number }>
> = {
  'an empty ledger is decided on twenty times a second': { ledger: ledgerOf(0, 0), want: 50 },
  'so is that of a tenant with five Runs': { ledger: ledgerOf(5, 0), want: 50 },
  'that of a tenant with ten Runs eight times a second': { ledger: ledgerOf(10, 0), want: 125 },
  'with thirty after five eighths of one': { ledger: ledgerOf(30, 0), want: 625 },
  'with forty-five once': { ledger: ledgerOf(45, 0), want: 1000 },
  'with a hundred as often': { ledger: ledgerOf(100, 0), want: 1000 },
  'with a thousand as often': { ledger: ledgerOf(1000, 0), want: 1000 },
  'one with two thousand keys once a second': { ledger: ledgerOf(0, 2000), want: 1000 },
  'that of a tenant with a thousand Runs in its queue as often as an empty one': {
    ledger: ledgerOf(5, 0),
    runs: 1000,
    want: 50,
  },
  'with five thousand four times a second': { ledger: ledgerOf(10, 0), runs: 5000, want: 250 },
  'what takes longer counts': { ledger: ledgerOf(0, 2000), runs: 50_000, want: LONGEST_INTERVAL_MS },
  'or the dearer': { ledger: ledgerOf(0, 2000), runs: 5000, want: 1000 },
  'none waits for longer than the largest that there can be': {
    ledger: ledgerOf(9000, 0),
    want: LONGEST_INTERVAL_MS,
  },
  'however many wait': { ledger: ledgerOf(0, 0), runs: 1_000_000, want: LONGEST_INTERVAL_MS },
};

for (const [title, { ledger, runs, want }] of Object.entries(CASES)) {
  test(title, (t) => t.is(passIntervalMs(ledger, runs), want));
}

test('where nobody waits it is twice as long, up to a second, but for those with few Runs', (t) => {
  const rests = [5, 10, 30, 45, 9000].map((count) => easedMs(passIntervalMs(ledgerOf(count, 0))));
  t.deepEqual(rests, [50, 250, 1000, 1000, LONGEST_INTERVAL_MS]);
});

test('five minutes of writes of the fullest ledger are well below what etcd takes', (t) => {
  const ledger = fullLedger(1000);
  const writes = 300_000 / passIntervalMs(ledger);
  const gigabytes = (writes * JSON.stringify(ledger.status).length) / 1e9;
  t.true(gigabytes < 1, `${gigabytes} GB`);
});
