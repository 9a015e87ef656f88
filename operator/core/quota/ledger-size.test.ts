// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import {
  MAX_AWAITED,
  MAX_GRANTED_AMOUNTS,
  MAX_KEYS,
  QUOTA_LEDGER,
  type Reservation,
} from '#crds/v1alpha1/quota-ledger';
import { MAX_ATTEMPTS } from '#crds/v1alpha1/meta';
import type { Ledger } from '../tenant/tenant.ts';
import { bytesForReservations, keyBytes, MAX_LEDGER_BYTES, reservationBytes } from './ledger-size.ts';
import { fullLedger, key, longName } from './testing/full-ledger.ts';

/** Bytes of a request that etcd takes by default. */
const ETCD_BYTES = 1.5 * 1024 * 1024;

for (const [what, keys, places] of [
  ['full to the last place', 0, 1000],
  ['with half of all keys that there can be', MAX_KEYS / 2, 100],
] as const) {
  test(`a ledger of the longest names, ${what}, fits into etcd`, (t) => {
    const ledger = fullLedger(keys);
    const { reservations = [], grants = [] } = ledger.status ?? {};
    t.true(grants.length * Object.keys(ledger.spec.hard ?? {}).length > MAX_GRANTED_AMOUNTS - 200);
    const bytes = JSON.stringify(ledger).length;
    t.true(bytes < ETCD_BYTES - 50_000, `${bytes} bytes`);
    t.true(bytes > MAX_LEDGER_BYTES - 100_000, `${bytes} bytes: the bound wastes room`);
    t.true(reservations.length > places, `${reservations.length} places`);
  });
}

test('a full ledger fits its schema', (t) => {
  const { spec, status } = fullLedger();
  t.is(QUOTA_LEDGER.spec.safeParse(spec).error, undefined);
  t.is(QUOTA_LEDGER.status.safeParse(status).error, undefined);
});

/** A year of a thousand cards that cost a thousand times as much as cores. */
const LARGE = '31536000000000.999999';

test('no reservation takes more than is counted for it', (t) => {
  const longest: Reservation = {
    uid: longName('u').slice(0, 36),
    namespace: longName('n'),
    name: longName('r'),
    agent: longName('a'),
    gpuClass: longName('g'),
    gpus: 64,
    attempt: MAX_ATTEMPTS,
    session: 's'.repeat(22),
    runUnits: LARGE,
    tokens: LARGE,
    cost: LARGE,
    priced: 'd'.repeat(8),
    overspent: 'minute',
    overspentUnit: 'cost',
    revision: 'f'.repeat(12),
    serial: Number.MAX_SAFE_INTEGER,
    preemptedBy: { namespace: longName('n'), name: longName('r'), priority: -1000 },
    awaits: Array.from({ length: MAX_AWAITED }, () => Number.MAX_SAFE_INTEGER),
  };
  t.true(JSON.stringify(longest).length + 1 <= reservationBytes(longest));
});

test('no key takes more than is counted for it, and that is not much more', (t) => {
  const longest = { ...key(1), name: longName('r') };
  const bytes = JSON.stringify(longest).length + 1;
  t.true(bytes <= keyBytes(longest) && bytes > keyBytes(longest) - 40, `${bytes} of ${keyBytes(longest)}`);
});

test('where grants take all the room there is none for Runs, and never less than none', (t) => {
  const { metadata, apiVersion, kind, spec } = fullLedger();
  const hard = Object.fromEntries(Array.from({ length: 96 }, (_, i) => [`count/${longName(`k${i}`)}`, '1']));
  const beyond: Ledger = { apiVersion, kind, metadata, spec: { ...spec, hard } };
  t.is(bytesForReservations(beyond), 0);
});
