// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { makeRun } from '../run/testing/make.ts';
import { lostReservations } from './lost-reservations.ts';

const SECOND = '2026-01-09T00:00:01Z';
const base = makeRun({}, { phase: 'Running', attempt: 1 });
const runOf = (creationTimestamp: string | undefined) => ({
  ...base,
  metadata: { ...base.metadata, creationTimestamp },
});

const cases: Readonly<
  Record<
    string,
    { readonly run: string | undefined; readonly ledger: string | undefined; readonly isLost: boolean }
  >
> = {
  'a Run that was there before the ledger': { run: '2026-01-09T00:00:00Z', ledger: SECOND, isLost: true },
  'a Run of the same second': { run: SECOND, ledger: SECOND, isLost: true },
  'a Run that came after it, whose end is not seen yet': {
    run: '2026-01-09T00:00:02Z',
    ledger: SECOND,
    isLost: false,
  },
  'a ledger of which nobody knows when it was made': { run: SECOND, ledger: undefined, isLost: true },
  'a Run of which nobody knows when it was made': { run: undefined, ledger: SECOND, isLost: true },
};

for (const [title, { run, ledger, isLost }] of Object.entries(cases)) {
  test(`what no ledger knows is lost, unless it was given back: ${title}`, (t) => {
    const found = lostReservations([runOf(run) as typeof base], { madeAt: ledger, keepers: new Set() });
    t.is(found.length, isLost ? 1 : 0);
    const known = new Set([base.metadata.uid ?? '']);
    t.deepEqual(lostReservations([runOf(run) as typeof base], { madeAt: ledger, keepers: known }), []);
  });
}

test('what has ended, or waits, has lost nothing', (t) => {
  for (const phase of ['Queued', 'Succeeded', 'Failed', 'Cancelled'] as const) {
    const run = makeRun({}, { phase, attempt: 1 });
    t.deepEqual(lostReservations([run], { madeAt: undefined, keepers: new Set() }), [], phase);
  }
});
