// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunStatus } from '#crds/v1alpha1/run';
import { makeRate } from '../metering/testing/make.ts';
import { overspending } from './overspending.ts';
import { makeRun, makeTenant, NOW } from './testing/make.ts';
import { type Case, RESERVED, running, RUNNING, testPlans } from './testing/plan-cases.ts';

const OVERSPENT = { ...RESERVED, serial: 7, overspent: 'hour' } as const;
const ADMITTED_BY_IT: RunStatus = {
  ...RUNNING,
  usage: { open: { rate: makeRate({ cpuMillicores: 1000 }), reservation: 7 } },
};
const TOLD: RunStatus = {
  ...ADMITTED_BY_IT,
  conditions: RUNNING.conditions?.map((one) => ({ ...one, reason: 'BudgetExhausted' })) ?? [],
};

const cases: Record<string, Case> = {
  'a Run that has overspent has its workload ended': {
    status: ADMITTED_BY_IT,
    seen: { pod: running, reservation: OVERSPENT },
    want: { phase: 'Running', reason: 'BudgetExhausted' },
    wantRemoved: ['Pod'],
  },
  'and is in the queue when nothing is left of it': {
    status: TOLD,
    seen: { reservation: OVERSPENT },
    want: { phase: 'Queued', reason: 'BudgetExhausted' },
  },
  'also when its reservation is not seen any more': {
    status: TOLD,
    want: { phase: 'Queued', reason: 'BudgetExhausted' },
  },
  'one that is cancelled meanwhile is Cancelled': {
    spec: { cancel: true },
    status: TOLD,
    seen: { reservation: OVERSPENT },
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },
};

testPlans(cases);

test('what a reservation of another attempt says is nothing to it', (t) => {
  const run = makeRun({}, ADMITTED_BY_IT);
  t.is(overspending(run, { reservation: { ...OVERSPENT, serial: 6 }, tenant: undefined }, NOW), undefined);
  const { serial: _, ...lost } = OVERSPENT;
  t.is(overspending(makeRun({}, RUNNING), { reservation: lost, tenant: undefined }, NOW), undefined);
});

test('it says which budget is used up, and until when', (t) => {
  const tenant = makeTenant({ quotas: { runUnits: [{ window: 'hour', limit: 30 }] } });
  const cause = overspending(makeRun({}, ADMITTED_BY_IT), { reservation: OVERSPENT, tenant }, NOW);
  t.regex(
    cause?.message ?? '',
    /^paused, since the tenant's 30 run units in the hour until 2026-11-21T13:00:00Z/,
  );
});

test('also of cost', (t) => {
  const quotas = {
    cost: [{ window: 'hour' as const, limit: '2.5' }],
    runUnits: [{ window: 'hour' as const, limit: 30 }],
  };
  const reservation = { ...OVERSPENT, overspentUnit: 'cost' } as const;
  const run = makeRun({}, ADMITTED_BY_IT);
  const cause = overspending(run, { reservation, tenant: makeTenant({ quotas }) }, NOW);
  t.regex(
    cause?.message ?? '',
    /^paused, since the tenant's 2\.5 units of cost in the hour until 2026-11-21T13:00:00Z \(quotas\.cost\) are used up/,
  );
});
