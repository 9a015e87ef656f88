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

/** Status of a Run that ran, and whose workload is being ended for `reason`. */
const ending = (reason: string) => ({
  ...RUNNING,
  conditions: RUNNING.conditions?.map((one) => ({ ...one, reason })) ?? [],
});

const cases: Record<string, Case> = {
  'resumed before its workload is gone, it goes on ending that': {
    status: ending('Suspended'),
    seen: { job: makeJob(), pods: [running] },
    wantRemoved: ['Job'],
  },
  'and then is in the queue, since nobody else has ended it': {
    status: ending('Suspended'),
    want: { phase: 'Queued', reason: 'Suspended' },
  },
  'so it is when its tenant is resumed before that': {
    status: ending('Paused'),
    want: { phase: 'Queued', reason: 'Paused' },
  },
  'one that is cancelled meanwhile is cancelled': {
    spec: { cancel: true },
    status: ending('Suspended'),
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },
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
