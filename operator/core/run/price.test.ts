// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Price } from '#crds/v1alpha1/price';
import type { RunStatus } from '#crds/v1alpha1/run';
import { makeRate } from '../metering/testing/make.ts';
import { priceDigest } from '../metering/price.ts';
import { planRun } from './plan.ts';
import type { RunObserved } from './observed.ts';
import { makeRun, NOW } from './testing/make.ts';
import { ACTIVE, type Case, NOTHING_SEEN, RESERVED, RUNNING, testPlans } from './testing/plan-cases.ts';

const PRICE: Price = { currency: 'USD', runUnits: 11_500_000 };
const RAISED: Price = { ...PRICE, runUnits: 23_000_000 };
const BUDGETED = { ...RESERVED, serial: 7, cost: '0.25', priced: priceDigest(PRICE) };
const PARENT_REF = { name: 'above', uid: 'above-uid' };
const CALL = { parent: 'above-uid', attempt: 1, root: 'above-uid', rootName: 'above', depth: 1 };
const CALLED = { ...BUDGETED, call: CALL };
const { metadata, ...above } = makeRun(
  {},
  { ...RUNNING, usage: { open: { rate: makeRate({ price: PRICE }), reservation: 6 } } },
);
const CALLER = { ...above, metadata: { ...metadata, ...PARENT_REF } };

const cases: Record<string, Case> = {
  'a Run starts at the price that its cost was reserved by': {
    seen: { reservation: BUDGETED, price: PRICE },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
  'at another one it is reserved for anew': {
    seen: { reservation: BUDGETED, price: RAISED },
    want: { phase: 'Queued', reason: 'Pending' },
    wantWords: 'the price is another one',
  },
  'also when there is none any more': {
    seen: { reservation: BUDGETED },
    want: { phase: 'Queued', reason: 'Pending' },
    wantWords: 'reserved anew',
  },
  'who is called starts at the price of his caller': {
    seen: { reservation: CALLED, price: RAISED, parent: CALLER },
    spec: { parentRef: PARENT_REF },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
  'and is reserved for anew at any other, also if his tenant pays that': {
    seen: { reservation: { ...CALLED, priced: priceDigest(RAISED) }, price: RAISED, parent: CALLER },
    spec: { parentRef: PARENT_REF },
    want: { phase: 'Queued', reason: 'Pending' },
    wantWords: 'the price is another one',
  },
  'without a budget of cost any price will do': {
    seen: { reservation: { ...RESERVED, serial: 7 }, price: RAISED },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
};

testPlans(cases);

function rateOf(status: RunStatus | undefined, seen: Partial<RunObserved>) {
  return planRun(makeRun({}, status), { ...NOTHING_SEEN, ...seen }, NOW).status?.usage?.open?.rate;
}

test('the price of the admission is fixed in the rate', (t) => {
  t.deepEqual(rateOf(undefined, { reservation: BUDGETED, price: PRICE })?.price, PRICE);
  t.false('price' in (rateOf(undefined, { reservation: RESERVED }) ?? {}));
});

function priceBelow(parent: RunObserved['parent']): Price | undefined {
  const seen = { ...NOTHING_SEEN, reservation: { ...RESERVED, call: CALL }, price: RAISED, parent };
  return planRun(makeRun({ parentRef: PARENT_REF }), seen, NOW).status?.usage?.open?.rate.price;
}

test('that of a Run that is called is the price of its caller, be it none', (t) => {
  t.deepEqual(priceBelow(CALLER), PRICE);
  const free = { ...RUNNING, usage: { open: { rate: makeRate(), reservation: 6 } } };
  t.is(priceBelow({ ...CALLER, status: free }), undefined);
});

test('and stays, also where its workload is still to be made when the platform has another one', (t) => {
  const paid: RunStatus = {
    ...ACTIVE,
    usage: { open: { rate: makeRate({ price: PRICE }), reservation: 7 } },
  };
  t.deepEqual(rateOf(paid, { price: RAISED })?.price, PRICE);
  t.deepEqual(rateOf(paid, {})?.price, PRICE);
  const free: RunStatus = { ...ACTIVE, usage: { open: { rate: makeRate(), reservation: 7 } } };
  t.is(rateOf(free, { price: RAISED })?.price, undefined);
});
