// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunStatus } from '#crds/v1alpha1/run';
import { planRun } from './plan.ts';
import { SUSPENDED } from './suspension.ts';
import { ago, going, makeRun, makeTenant, NOW } from './testing/make.ts';
import {
  type Case,
  NOTHING_SEEN,
  PAUSING,
  RESERVED,
  running,
  RUNNING,
  testPlans,
  WAITED,
  WAITING,
  succeeded,
} from './testing/plan-cases.ts';

/** Status of a Run whose workload is being ended, and of which it is told why. */
function told(reason: string): RunStatus {
  const conditions = RUNNING.conditions?.map((one) => ({ ...one, reason })) ?? [];
  return { ...RUNNING, conditions };
}

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
    seen: { pod: running },
    want: { phase: 'Running', reason: 'Suspended' },
    wantRemoved: ['Pod'],
  },
  'and is in the queue when nothing is left of it': {
    spec: { suspend: true },
    status: RUNNING,
    want: { phase: 'Queued', reason: 'Suspended' },
  },
  'one that is resumed while its workload still ends waits for that': {
    status: told('Suspended'),
    seen: { pod: going(running) },
    wantRemoved: ['Pod'],
  },
  'one that is resumed before its pod was deleted starts anew all the same': {
    status: told('Suspended'),
    seen: { pod: running },
    wantRemoved: ['Pod'],
  },
  'and goes back to the queue then: nobody else has deleted its pod': {
    status: told('Suspended'),
    want: { phase: 'Queued', reason: 'Suspended' },
  },
  'whatever its container made of being told to end': {
    status: told('Suspended'),
    seen: { pod: going(succeeded) },
    want: { phase: 'Queued', reason: 'Suspended' },
  },
  'the same goes for a tenant that is resumed while its Runs still end': {
    status: told('Paused'),
    want: { phase: 'Queued', reason: 'Paused' },
  },
  'a tenant whose ledger still admits Runs pauses none yet: it would be admitted once more at once': {
    status: RUNNING,
    seen: { ...PAUSING, isClosed: false, pod: running },
  },
  'nor does one that is suspended no more, by who has not seen that but what it has admitted since': {
    status: { ...RUNNING, attempt: 2 },
    seen: { ...PAUSING, isClosed: false, reservation: { ...RESERVED, attempt: 2 }, pod: running },
  },
  'a ledger that is older than the present attempt pauses nobody': {
    status: { ...RUNNING, attempt: 2 },
    seen: { ...PAUSING, pod: running },
  },
  'nor does one that is resumed while its ledger was not told': {
    status: RUNNING,
    seen: { ...PAUSING, tenant: makeTenant(), pod: running },
  },
  'one that was resumed and is cancelled before it is back in the queue is Cancelled': {
    spec: { cancel: true },
    status: told('Suspended'),
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },
  'one that succeeded before its pod could be deleted has succeeded': {
    status: told('Suspended'),
    seen: { pod: succeeded },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
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
