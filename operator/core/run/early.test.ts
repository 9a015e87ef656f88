// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { type AdmissionRecord, type Early, nextChildName } from './admission-record.ts';
import type { RunObserved } from './observed.ts';
import { KUEUE } from '../kueue/testing/make.ts';
import { leftoversOf, planRun } from './plan.ts';
import type { Run } from './run.ts';
import { makeAgent, makePod, makeRun, NOW } from './testing/make.ts';
import { NOTHING_SEEN, PAUSING, RESERVED, running, testPlans } from './testing/plan-cases.ts';

const RETRIED = { limit: 2, reasons: ['ContainerFailed'], backoffSeconds: 1, maxBackoffSeconds: 1 } as const;
const SEEN: RunObserved = { ...NOTHING_SEEN, reservation: { ...RESERVED, serial: 7 } };

/** What is planned of a Run that is admitted now, and the record that its pod bears. */
function admit(run: Run, seen: Partial<RunObserved> = {}) {
  const plan = planRun(run, { ...SEEN, ...seen }, NOW);
  const text = plan.create.at(-1)?.metadata.annotations?.[ANNOTATIONS.admission];
  return { plan, record: text === undefined ? undefined : (JSON.parse(text) as AdmissionRecord) };
}

/** That pod as it is seen, with a container that is `state`. */
function seenAs(state: object, status: object = {}, atMs = NOW.getTime()): Early {
  const { record } = admit(makeRun());
  const pod = makePod(state, status);
  return { pod, record: { ...record!, atMs } };
}

const WAITS = { waiting: { reason: 'ContainerCreating' } };
const PENDING = { phase: 'Pending' };
const starting = seenAs(WAITS, PENDING);

test('a Run that is admitted has its pod made first, which says what it was admitted by', (t) => {
  const run = makeRun({ retries: { ...RETRIED, reasons: [...RETRIED.reasons] } });
  const { plan, record } = admit(run);
  t.true(plan.defersStatus);
  t.deepEqual(
    plan.create.map(({ kind, metadata }) => [kind, metadata.name]),
    [['Pod', nextChildName(run)]],
  );
  t.is(plan.status?.phase, 'Admitted');
  t.like(record, { atMs: NOW.getTime(), open: { reservation: 7 } });
  t.deepEqual(record?.retries, { spent: 0, limit: 2 });
});

const STATUS_FIRST: Readonly<Record<string, { readonly run: Run; readonly seen?: Partial<RunObserved> }>> = {
  'where its input is handed over as well': { run: makeRun({ input: { inline: 'x' } }) },
  'where its Agent gives parameters': {
    run: makeRun(),
    seen: { agent: makeAgent({ parameters: [{ name: 'a', required: false, default: '1' }] }) },
  },
  'where that was told before': {
    run: makeRun({}, { ...admit(makeRun()).plan.status, phase: 'Admitted' }),
  },
  'where Kueue decides when it starts': {
    run: makeRun(),
    seen: {
      capacity: { kueue: KUEUE },
    },
  },
  'where a pod of that name does not say what it was made by': { run: makeRun(), seen: { isMade: true } },
};

for (const [name, { run, seen }] of Object.entries(STATUS_FIRST)) {
  test(`it is told first ${name}`, (t) => {
    const { plan, record } = admit(run, seen);
    t.falsy(plan.defersStatus);
    t.is(record, undefined);
    t.is(plan.create.at(-1)?.kind, 'Pod');
    t.is(plan.status?.attempt, 1);
  });
}

test('half a second later it is told what would have been told at once', (t) => {
  for (const run of [makeRun(), makeRun({ retries: { ...RETRIED, reasons: [...RETRIED.reasons] } })]) {
    const { plan, record } = admit(run);
    const pod = makePod(WAITS, PENDING, { name: nextChildName(run) });
    const later = new Date(NOW.getTime() + 500);
    const told = planRun(run, { ...SEEN, early: { pod, record: record! }, isMade: true }, later);
    t.deepEqual(told.status, plan.status);
    t.deepEqual(told.create, []);
  }
});

testPlans({
  'a Run whose pod starts says nothing yet': { seen: { early: starting }, wantSoon: true },
  'not even that it is cancelled, if it is: it ends its pod and says that': {
    spec: { cancel: true },
    seen: { early: starting },
    want: { phase: 'Admitted', reason: 'Cancelling' },
    wantRemoved: ['Pod'],
  },
  'once its container runs it says so': {
    seen: { early: seenAs({ running: {} }) },
    want: { phase: 'Running', reason: 'Running' },
  },
  'one that has ended is told with its end': {
    seen: { early: seenAs({ terminated: { exitCode: 0 } }, { phase: 'Succeeded' }) },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'also where it was cancelled meanwhile': {
    spec: { cancel: true },
    seen: { early: seenAs({ terminated: { exitCode: 0 } }, { phase: 'Succeeded' }) },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'one that has failed is told so': {
    seen: { early: seenAs({ terminated: { exitCode: 3 } }, { phase: 'Failed' }) },
    want: { phase: 'Failed', reason: 'ContainerFailed', code: 'internal_error' },
  },
  'one that its user suspends is ended': {
    spec: { suspend: true },
    seen: { early: starting },
    want: { phase: 'Admitted', reason: 'Suspended' },
    wantRemoved: ['Pod'],
  },
  'so is one of a tenant that pauses': {
    seen: { early: starting, ...PAUSING },
    want: { phase: 'Admitted', reason: 'Paused' },
    wantRemoved: ['Pod'],
  },
  'so is one that has to make room': {
    seen: {
      early: starting,
      reservation: {
        ...RESERVED,
        serial: 7,
        preemptedBy: { namespace: 'acme-dev', name: 'other', priority: 9 },
      },
    },
    want: { phase: 'Admitted', reason: 'Preempted' },
    wantRemoved: ['Pod'],
  },
  'a ledger that is seen late, and holds nothing for it, changes nothing': {
    seen: { early: starting, reservation: undefined, place: { kind: 'none' } },
    wantSoon: true,
  },
  'after half a second it says that it is admitted': {
    seen: { early: seenAs(WAITS, PENDING, NOW.getTime() - 500) },
    want: { phase: 'Admitted', reason: 'Admitted' },
  },
  'a clock that has gone back keeps it from nothing': {
    seen: { early: seenAs(WAITS, PENDING, NOW.getTime() + 60_000) },
    want: { phase: 'Admitted', reason: 'Admitted' },
  },
  'its retry as well is told later': {
    status: { phase: 'Queued', attempt: 1 },
    seen: { early: starting },
    wantSoon: true,
  },
});

test('what it used is settled by the rate and the reservation that its pod says', (t) => {
  const early = seenAs({ terminated: { exitCode: 0 } }, { phase: 'Succeeded' });
  const { status } = planRun(makeRun(), { ...SEEN, early }, NOW);
  const [attempt, ...others] = status?.usage?.attempts ?? [];
  t.deepEqual(others, []);
  t.like(attempt, { attempt: 1, reservation: 7 });
  t.deepEqual(attempt?.rate, early.record.open.rate);
  const admitted = status?.conditions?.find(({ type }) => type === 'Admitted');
  t.is(admitted?.status, 'True', 'who waits for that sees it, if late');
});

function named(name: string): KubeObject {
  return { ...running, metadata: { ...running.metadata, name } };
}

test('what is made too late for a Run that has ended is left over, of whatever attempt', (t) => {
  const pods = [named('r-x-1'), named('r-x-2')];
  t.deepEqual(leftoversOf(makeRun({}, { phase: 'Cancelled', attempt: 0 }), pods), pods);
  t.deepEqual(leftoversOf(makeRun({}, { phase: 'Cancelled', attempt: 1 }), pods), pods.slice(1));
  t.deepEqual(leftoversOf(makeRun({}, { phase: 'Queued', attempt: 0 }), pods), []);
});
