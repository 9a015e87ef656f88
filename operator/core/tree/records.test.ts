// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Reservation, TreeRecord } from '#crds/v1alpha1/quota-ledger';
import { MICRO } from '../metering/micro.ts';
import { reservationBytes } from '../quota/ledger-size.ts';
import { makeRun } from '../run/testing/make.ts';
import { heldOfBudgets, newRecord, reservedOfBudgets, settleRecords } from './records.ts';

const ROOT: Reservation = {
  uid: 'root',
  namespace: 'acme-dev',
  name: 'root',
  agent: 'lead',
  attempt: 1,
  levels: 1,
  runUnits: '5',
  tokens: '0',
  pool: { runUnits: '100', tokens: '1000' },
};
const RECORD: TreeRecord = {
  uid: 'root',
  namespace: 'acme-dev',
  name: 'root',
  attempt: 1,
  calls: 3,
  depth: 1,
  runUnits: '30',
  tokens: '400',
};

function child(uid: string, runUnits: string): Reservation {
  const call = { parent: 'root', attempt: 1, root: 'root', rootName: 'root', depth: 1 };
  return { uid, namespace: 'acme-dev', name: uid, agent: 'leaf', attempt: 1, runUnits, tokens: '100', call };
}

/** In run units and tokens. */
function reserved(held: readonly Reservation[], trees: readonly TreeRecord[] = [RECORD]): readonly number[] {
  const { runUnits, tokens } = reservedOfBudgets({ reservations: [...held], trees: [...trees] });
  return [Number(runUnits / MICRO), Number(tokens / MICRO)];
}

const SUMS: Readonly<
  Record<
    string,
    {
      readonly held: readonly Reservation[];
      readonly trees?: readonly TreeRecord[];
      readonly want: readonly number[];
    }
  >
> = {
  'a Run that calls nobody yet holds its own, and all for those below': {
    held: [ROOT],
    trees: [],
    want: [105, 1000],
  },
  'what those below have used is counted as used, and no more held': { held: [ROOT], want: [75, 600] },
  'what they reserve is part of it': { held: [ROOT, child('a', '20'), child('b', '20')], want: [75, 600] },
  'unless it is more than is left': { held: [ROOT, child('a', '40'), child('b', '40')], want: [85, 600] },
  'when the one above all has gone they hold for themselves': {
    held: [child('a', '20'), child('b', '40')],
    want: [60, 200],
  },
  'a tree of which more was used than reserved holds nothing for others': {
    held: [ROOT],
    trees: [{ ...RECORD, runUnits: '130' }],
    want: [5, 600],
  },
};

for (const [name, { held, trees, want }] of Object.entries(SUMS)) {
  test(`held of budgets: ${name}`, (t) => {
    t.deepEqual(reserved(held, trees), want);
  });
}

test('who is in a pool is paused for that alone, and not for what others of the tenant have used', (t) => {
  const held = [ROOT, child('a', '20')];
  const holds = held.map(({ uid }) => ({ uid, reserved: 20n * MICRO, used: 30n * MICRO, speed: 1n }));
  const { outside } = heldOfBudgets(held, {
    holds: { runUnits: holds },
    records: new Map([['root', RECORD]]),
  });
  t.deepEqual(
    outside.runUnits?.map(({ uid }) => uid),
    ['root'],
  );
});

function run(tree?: object) {
  const found = makeRun({}, { phase: 'Succeeded', attempt: 1, ...(tree && { tree: tree as never }) });
  return { ...found, metadata: { ...found.metadata, name: 'root', uid: 'root' } };
}

function amounts(used: string) {
  return { used, reserved: '0' };
}

test('a record is kept until the one above all tells it, and no longer than that is there', (t) => {
  const input = { before: [RECORD], held: [], ended: [] };
  const told = { ...RECORD, runUnits: amounts('30'), tokens: amounts('400') };
  t.is(settleRecords({ ...input, runs: [run()] }).size, 1);
  t.is(settleRecords({ ...input, runs: [run({ ...told, runUnits: amounts('29.999999') })] }).size, 1);
  t.is(settleRecords({ ...input, runs: [run(told)] }).size, 0);
  t.is(settleRecords({ ...input, runs: [] }).size, 0);
  t.is(
    settleRecords({ ...input, held: [child('a', '1')], runs: [run(told)] }).size,
    1,
    'somebody is under way',
  );
});

test('a ledger that was lost goes on from what was told', (t) => {
  const { call } = child('a', '1');
  const tree = { ...RECORD, runUnits: amounts('30'), tokens: amounts('400') } as never;
  const told = newRecord(
    { namespace: 'acme-dev', call: call! },
    makeRun({}, { phase: 'Running', attempt: 1, tree }),
  );
  t.deepEqual(told, RECORD);
  const other = newRecord(
    { namespace: 'acme-dev', call: call! },
    makeRun({}, { phase: 'Running', attempt: 2, tree }),
  );
  t.like(other, { attempt: 2, calls: 0, runUnits: '0' });
});

test('a reservation is never larger in the ledger than was counted on', (t) => {
  const long = '9'.repeat(40);
  const most: Reservation = {
    ...child('a'.repeat(36), long),
    cost: `${'9'.repeat(20)}.999999`,
    priced: 'd'.repeat(8),
    levels: 8,
    overspent: 'tree',
    serial: Number.MAX_SAFE_INTEGER,
    attempt: 1_000_000_000,
  };
  const root: Reservation = {
    ...ROOT,
    runUnits: `${'9'.repeat(20)}.999999`,
    pool: {
      runUnits: `${'9'.repeat(20)}.999999`,
      tokens: '9'.repeat(20),
      cost: `${'9'.repeat(20)}.999999`,
    },
  };
  for (const one of [most, root, child('a', '1')])
    t.true(JSON.stringify(one).length + 1 <= reservationBytes(one));
  const record = {
    ...RECORD,
    runUnits: '9'.repeat(40),
    tokens: '9'.repeat(40),
    cost: `${'9'.repeat(22)}.999999`,
    calls: 10_000,
    attempt: 1_000_000_000,
  };
  const withRecord = JSON.stringify(root).length + JSON.stringify(record).length + 2;
  t.true(withRecord <= reservationBytes(root), `${withRecord} of ${reservationBytes(root)}`);
});
