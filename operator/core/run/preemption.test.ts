// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import { makeRate } from '../metering/testing/make.ts';
import { planRun } from './plan.ts';
import { preemption } from './preemption.ts';
import { ago, going, makeRun, NOW } from './testing/make.ts';
import {
  type Case,
  NOTHING_SEEN,
  RESERVED,
  running,
  RUNNING,
  succeeded,
  testPlans,
  WAITED,
} from './testing/plan-cases.ts';

const PREEMPTED: Reservation = {
  ...RESERVED,
  serial: 7,
  preemptedBy: { namespace: 'acme-prod', name: 'urgent', priority: 10 },
};
const ADMITTED_BY_IT: RunStatus = {
  ...RUNNING,
  usage: { open: { rate: makeRate({ cpuMillicores: 1000 }), reservation: 7 } },
};
const TOLD: RunStatus = {
  ...ADMITTED_BY_IT,
  conditions: RUNNING.conditions?.map((one) => ({ ...one, reason: 'Preempted' })) ?? [],
};
const TAKING: Reservation = { ...RESERVED, serial: 8, awaits: [7] };
const place = {
  kind: 'waiting',
  position: undefined,
  reason: RUN_REASONS.Preempting,
  message: 'it starts when acme-dev/low has ended',
} as const;

const cases: Record<string, Case> = {
  'a Run that is to make room has its workload ended, and says for whom': {
    status: ADMITTED_BY_IT,
    seen: { pod: running, reservation: PREEMPTED },
    want: { phase: 'Running', reason: 'Preempted' },
    wantRemoved: ['Pod'],
    wantWords: 'made room for Run acme-prod/urgent of priority 10',
  },
  'and waits for the end of its pod': {
    status: TOLD,
    seen: { pod: going(running), reservation: PREEMPTED },
    wantRemoved: ['Pod'],
  },
  'it is in the queue when nothing is left of it': {
    status: TOLD,
    seen: { reservation: PREEMPTED },
    want: { phase: 'Queued', reason: 'Preempted' },
  },
  'one that succeeded before its pod could be deleted has succeeded': {
    status: TOLD,
    seen: { pod: succeeded, reservation: PREEMPTED },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'one that is cancelled meanwhile is Cancelled': {
    spec: { cancel: true },
    status: TOLD,
    seen: { reservation: PREEMPTED },
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },
  'a Run that takes over from another does not start, and says for whose end it waits': {
    seen: { reservation: TAKING, place },
    want: { phase: 'Queued', reason: 'Preempting' },
    wantWords: 'acme-dev/low',
    wantSoon: true,
  },
  'it starts when that was given back': {
    seen: { reservation: { ...RESERVED, serial: 8 } },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
  'its deadline for starting goes on': {
    spec: { startingDeadlineSeconds: 1 },
    status: { phase: 'Queued', queue: { ...WAITED, updatedAt: ago(1) } },
    seen: { reservation: TAKING, place },
    want: { phase: 'Failed', reason: 'StartingDeadlineExceeded', code: 'timeout' },
    wantSaid: ['within 1 second', 'acme-dev/low'],
  },
  'when its user suspends it the place is given up': {
    spec: { suspend: true },
    seen: { reservation: TAKING, place },
    want: { phase: 'Queued', reason: 'Suspended' },
  },
  'when he cancels it, too': {
    spec: { cancel: true },
    seen: { reservation: TAKING, place },
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },
};

testPlans(cases);

test('its pod is ended as it was seen: one that has succeeded since has done its work', (t) => {
  const pod = { ...running, metadata: { ...running.metadata, resourceVersion: '41' } };
  const { remove } = planRun(makeRun({}, TOLD), { ...NOTHING_SEEN, pod, reservation: PREEMPTED }, NOW);
  t.deepEqual(
    remove.map(({ asSeen }) => asSeen),
    ['41'],
  );
});

test('what a reservation of another attempt says is nothing to it', (t) => {
  const run = makeRun({}, ADMITTED_BY_IT);
  t.is(preemption(run, { ...PREEMPTED, serial: 6 }), undefined);
  const { serial: _, ...lost } = PREEMPTED;
  t.is(preemption(makeRun({}, RUNNING), lost), undefined);
});

test('each time is counted, and told once', (t) => {
  const run = makeRun({}, { ...TOLD, preemptions: 2 });
  const { status, events } = planRun(run, { ...NOTHING_SEEN, reservation: PREEMPTED }, NOW);
  t.is(status?.preemptions, 3);
  t.deepEqual(
    events.map(({ type, reason }) => [type, reason]),
    [['Normal', 'Preempted']],
  );
  const told = makeRun({}, TOLD);
  const seen = { ...NOTHING_SEEN, pod: running, reservation: PREEMPTED };
  t.deepEqual(planRun(told, seen, NOW).events, []);
});

test('a dry run says whom it would end', (t) => {
  const run = makeRun({ dryRun: true });
  const { status } = planRun(run, { ...NOTHING_SEEN, reservation: TAKING, place }, NOW);
  t.like(status?.dryRun, { phase: 'Queued', reason: 'Preempting', message: place.message });
});
