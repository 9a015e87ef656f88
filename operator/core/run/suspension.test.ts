// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { planRun } from './plan.ts';
import { SUSPENDED } from './suspension.ts';
import { ago, makeJob, makeRun, NOW } from './testing/make.ts';
import {
  type Case,
  NOTHING_SEEN,
  RESERVED,
  running,
  RUNNING,
  testPlans,
  WAITED,
  WAITING,
} from './testing/plan-cases.ts';

const cases: Record<string, Case> = {
  'a suspended Run that is new waits, whatever is free': {
    spec: { suspend: true },
    seen: { place: { ...WAITING, ...SUSPENDED } },
    want: { phase: 'Queued', reason: 'Suspended' },
  },
  'a suspended Run that waited for something else says so at once': {
    spec: { suspend: true },
    status: { phase: 'Queued', queue: { ...WAITED, updatedAt: ago(1) } },
    seen: { place: WAITING },
    want: { phase: 'Queued', reason: 'Suspended' },
  },
  'a suspended Run is refused by a full queue like any other': {
    spec: { suspend: true },
    seen: { place: { ...WAITING, ...SUSPENDED, full: { found: 50, allowed: 40 } } },
    want: { phase: 'Failed', reason: 'QueueFull', code: 'quota_exceeded' },
  },
  'a suspended Run gives its reservation back': {
    spec: { suspend: true },
    seen: { reservation: RESERVED },
    want: { phase: 'Queued', reason: 'Suspended' },
  },
  'a suspended Run that runs has its workload ended': {
    spec: { suspend: true },
    status: RUNNING,
    seen: { job: makeJob(), pods: [running] },
    want: { phase: 'Running', reason: 'Suspended' },
    wantRemoved: ['Job'],
  },
  'and is in the queue when nothing is left of it': {
    spec: { suspend: true },
    status: RUNNING,
    want: { phase: 'Queued', reason: 'Suspended' },
  },
};

testPlans(cases);

test('a reservation that a suspended Run gave back admits it no more', (t) => {
  const run = makeRun({ suspend: true });
  const plan = planRun(run, { ...NOTHING_SEEN, reservation: RESERVED }, NOW);
  t.is(plan.status?.attempt, RESERVED.attempt);
  const resumed = { ...makeRun(), status: plan.status! };
  t.deepEqual(planRun(resumed, { ...NOTHING_SEEN, reservation: RESERVED }, NOW).create, []);
});
