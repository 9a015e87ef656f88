// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { RunStatus } from '#crds/v1alpha1/run';
import { KUEUE } from '../kueue/testing/make.ts';
import type { KubeObject } from '../object.ts';
import { type Capacity, waitsForCapacity, wordsOfKueue } from './capacity.ts';
import type { RunObserved } from './observed.ts';
import { planHeldUp } from './hold-up.ts';
import { planRun } from './plan.ts';
import { isActive, phaseOf } from './run.ts';
import { ReconcileError } from '../errors.ts';
import { ago, going, makeClass, makePod, makeRun, NOW } from './testing/make.ts';
import {
  ACTIVE,
  type Case,
  NOTHING_SEEN,
  PAUSING,
  RESERVED,
  running,
  RUNNING,
  testPlans,
} from './testing/plan-cases.ts';

const GATE = 'kueue.x-k8s.io/admission';
const MANAGED = { 'kueue.x-k8s.io/managed': 'true' };

function workload(...conditions: readonly object[]): KubeObject {
  return {
    apiVersion: 'kueue.x-k8s.io/v1beta2',
    kind: 'Workload',
    metadata: { name: 'w' },
    status: { conditions },
  };
}

function condition(
  type: string,
  status: string,
  [reason, message]: readonly [string, string] = ['R', 'words'],
) {
  return { type, status, reason, message };
}

/** A pod that waits for Kueue, made ten seconds ago. */
function gated(name = GATE, activeDeadlineSeconds?: number): KubeObject {
  const unscheduled = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'SchedulingGated',
    lastTransitionTime: ago(10),
  };
  const pod = makePod({}, { phase: 'Pending', conditions: [unscheduled] }, { labels: MANAGED });
  const deadline = activeDeadlineSeconds === undefined ? {} : { activeDeadlineSeconds };
  return { ...pod, spec: { schedulingGates: [{ name }], ...deadline } };
}

/** The same when Kueue has let it go, and it has no node yet. */
function letGo(pod: KubeObject): KubeObject {
  const { schedulingGates: _, ...spec } = pod['spec'] as Record<string, unknown>;
  return { ...pod, spec };
}

/** One whose container has run for three seconds, and may for five; it was made ten seconds ago. */
const queued = makePod(
  { running: { startedAt: ago(3) } },
  {},
  { labels: { 'kueue.x-k8s.io/queue-name': 'nexusos' } },
);
const limited: KubeObject = { ...queued, spec: { nodeName: 'n', activeDeadlineSeconds: 5 } };

/** What Kueue writes before it deletes a pod. */
function evicted(pod: KubeObject): KubeObject {
  const told = { type: 'TerminationTarget', status: 'True', reason: 'WorkloadEvicted', message: 'Preempted' };
  const conditions = [{ ...told, lastTransitionTime: ago(1) }];
  return { ...pod, status: { ...(pod['status'] as object), conditions } };
}

/** Status of a Run that waits for Kueue, of which it is told so, with `words`. */
function waiting(words?: string, seconds = 8): RunStatus {
  const { admittedAt: _, ...active } = ACTIVE;
  const { reason, message } = waitsForCapacity(words);
  const at = { observedGeneration: 1, lastTransitionTime: ago(seconds) };
  return {
    ...active,
    phase: 'Queued',
    child: { name: 'r-x-1', ...(words !== undefined && { uid: 'pod-uid' }) },
    queue: { reason, message, since: ago(seconds), updatedAt: ago(seconds) },
    conditions: [
      { type: 'Admitted', status: 'False', reason, message, ...at },
      { type: 'Ready', status: 'False', reason, message, ...at },
    ],
  };
}

const NO_ROOM = workload(
  condition('QuotaReserved', 'False', ['WaitingForQuota', 'insufficient quota for cpu']),
);
const WORDS = 'WaitingForQuota: insufficient quota for cpu';
const KUEUES = (seen?: KubeObject): { readonly capacity: Capacity } => ({
  capacity: { kueue: KUEUE, workload: seen },
});
const WAITS = { phase: 'Queued', reason: 'WaitingForCapacity' };

const cases: Record<string, Case> = {
  'a reserved Run waits for Kueue, and its pod is made': {
    seen: { reservation: RESERVED, ...KUEUES() },
    want: WAITS,
    wantCreated: ['Pod'],
  },
  'so it is when the operator crashed before it made the pod': {
    status: waiting(),
    seen: KUEUES(),
    want: WAITS,
    wantCreated: ['Pod'],
  },
  'with devices that Kueue does not count it is admitted by us': {
    seen: {
      reservation: { ...RESERVED, gpuClass: 'dra', gpus: 1 },
      gpuClass: makeClass('dra', { deviceClassName: 'gpu.example.com' }),
      ...KUEUES(),
    },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['ResourceClaimTemplate', 'Pod'],
  },
  'what Kueue says is told': {
    status: waiting(undefined, 10),
    seen: { pod: gated(), ...KUEUES(NO_ROOM) },
    want: WAITS,
    wantWords: WORDS,
  },
  'and not told twice': { status: waiting(WORDS), seen: { pod: gated(), ...KUEUES(NO_ROOM) } },
  'other words are told later': {
    status: waiting('WaitingForQuota: another figure'),
    seen: { pod: gated(), ...KUEUES(NO_ROOM) },
    wantSoon: true,
  },
  'after half a minute': {
    status: waiting('WaitingForQuota: another figure', 31),
    seen: { pod: gated(), ...KUEUES(NO_ROOM) },
    want: WAITS,
    wantWords: WORDS,
  },
  'a pod that waits for its place in a topology is not let go': {
    status: waiting(WORDS),
    seen: { pod: gated('kueue.x-k8s.io/topology'), ...KUEUES(NO_ROOM) },
  },
  'its timeout does not run while it waits': {
    status: waiting(WORDS),
    seen: { pod: gated(GATE, 5), ...KUEUES(NO_ROOM) },
  },
  'its deadline for starting does': {
    spec: { startingDeadlineSeconds: 1 },
    status: waiting(WORDS),
    seen: { pod: gated(), ...KUEUES(NO_ROOM) },
    want: { phase: 'Queued', reason: 'StartingDeadlineExceeded', code: 'timeout' },
    wantRemoved: ['Pod'],
    wantSaid: ['startingDeadlineSeconds', WORDS],
  },
  'its deadline is looked after': {
    spec: { startingDeadlineSeconds: 100 },
    status: waiting(WORDS),
    seen: { pod: gated(), ...KUEUES(NO_ROOM) },
    wantSoon: true,
  },
  'when Kueue has let it go it is admitted, though its node is still looked for': {
    status: waiting(WORDS),
    seen: { pod: letGo(gated(GATE, 5)), ...KUEUES() },
    want: { phase: 'Admitted', reason: 'Starting' },
    wantSoon: true,
  },
  'when its container runs already it runs': {
    status: waiting(WORDS),
    seen: { pod: running, ...KUEUES() },
    want: { phase: 'Running', reason: 'Running' },
  },
  'also without a word of Kueue before': {
    status: waiting(),
    seen: { pod: running, ...KUEUES() },
    want: { phase: 'Running', reason: 'Running' },
  },
  'its timeout counts from then': {
    status: { ...ACTIVE, admittedAt: ago(4) },
    seen: { pod: limited, ...KUEUES() },
    want: { phase: 'Running', reason: 'Running' },
    wantSoon: true,
  },
  'and ends it': {
    status: { ...ACTIVE, admittedAt: ago(6) },
    seen: { pod: limited, ...KUEUES() },
    want: { phase: 'Admitted', reason: 'TimedOut', code: 'timeout' },
    wantRemoved: ['Pod'],
  },
  'one that Kueue evicts is told so before its pod has ended': {
    status: RUNNING,
    seen: { pod: going(evicted(running)), ...KUEUES() },
    want: { phase: 'Running', reason: 'Evicted' },
    wantRemoved: ['Pod'],
    wantWords: 'spends no retry: WorkloadEvicted: Preempted',
  },
  'and goes back to the queue, whatever its container made of it': {
    status: RUNNING,
    seen: { pod: going(evicted(makePod({ terminated: { exitCode: 1 } }, { phase: 'Failed' }))), ...KUEUES() },
    want: { phase: 'Queued', reason: 'Evicted' },
  },
  'one that is cancelled while it waits ends its pod, and never says that it was admitted': {
    spec: { cancel: true },
    status: waiting(WORDS),
    seen: { pod: gated(), ...KUEUES() },
    want: { phase: 'Queued', reason: 'Cancelling' },
    wantRemoved: ['Pod'],
  },
  'and is cancelled when that is going': {
    spec: { cancel: true },
    status: waiting(WORDS),
    seen: { pod: going(gated()), ...KUEUES() },
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },
  'one of a tenant that pauses gives its place back': {
    status: waiting(WORDS),
    seen: { pod: gated(), ...PAUSING, ...KUEUES() },
    want: { phase: 'Queued', reason: 'Paused' },
    wantRemoved: ['Pod'],
  },
  'where Kueue is gone, its pod goes': {
    status: waiting(WORDS),
    seen: { pod: gated() },
    want: { phase: 'Queued', reason: 'KueueMissing' },
    wantRemoved: ['Pod'],
  },
  'and it is back in the queue': {
    status: waiting(WORDS),
    seen: { pod: going(gated()) },
    want: { phase: 'Queued', reason: 'KueueMissing' },
  },
  'one that runs already does not care': { status: RUNNING, seen: { pod: running } },
  'one whose pod was not made yet is admitted without Kueue': {
    status: waiting(),
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
};

testPlans(cases);

function planned(status: RunStatus, seen: Partial<RunObserved>): RunStatus {
  return planRun(makeRun({}, status), { ...NOTHING_SEEN, ...seen }, NOW).status ?? {};
}

function standing({ conditions = [] }: RunStatus, type: string): string | undefined {
  return conditions.find((one) => one.type === type)?.status;
}

test('conditions tell the two gates apart', (t) => {
  const waits = planRun(makeRun(), { ...NOTHING_SEEN, reservation: RESERVED, ...KUEUES() }, NOW).status ?? {};
  t.deepEqual([standing(waits, 'QuotaReserved'), standing(waits, 'Admitted')], ['True', 'False']);
  t.is(waits.admittedAt, undefined);
  t.like(waits.queue, { reason: 'WaitingForCapacity', since: ago(0) });
  const admitted = planned(waiting(WORDS), { pod: letGo(gated()), ...KUEUES() });
  t.is(standing(admitted, 'Admitted'), 'True');
  t.is(admitted.admittedAt, ago(0));
  t.is(admitted.queue, undefined);
  const cancelled = planRun(
    makeRun({ cancel: true }, waiting(WORDS)),
    { ...NOTHING_SEEN, pod: going(gated()), ...KUEUES() },
    NOW,
  );
  t.is(standing(cancelled.status ?? {}, 'Admitted'), 'False');
});

test('since when it waits stands, whatever Kueue says', (t) => {
  const told = planned(waiting('WaitingForQuota: another figure', 40), { pod: gated(), ...KUEUES(NO_ROOM) });
  t.like(told.queue, { since: ago(40), updatedAt: ago(0) });
});

test('a Run that waits for Kueue is under way to the ledger, and Queued to its user', (t) => {
  const run = makeRun({}, waiting(WORDS));
  t.is(phaseOf(run), 'Admitted');
  t.true(isActive(run));
  const back = planned(RUNNING, { pod: going(evicted(makePod({}, { phase: 'Failed' }))), ...KUEUES() });
  t.is(phaseOf(makeRun({}, back)), 'Queued');
  t.false(isActive(makeRun({}, back)));
});

test('the pod has the marks of its queue, and of its priority, and no preferred node', (t) => {
  const priorityClasses = new Map([['urgent', 10]]);
  const gpuClass = makeClass('h100');
  const reservation = { ...RESERVED, gpuClass: 'h100', gpus: 1 };
  const capacity = { kueue: { ...KUEUE, priorityClasses } };
  const seen = { ...NOTHING_SEEN, reservation, gpuClass, node: 'gpu-0', capacity };
  const [pod] = planRun(makeRun({ priority: 10 }), seen, NOW).create;
  t.like(pod?.metadata.labels, {
    'kueue.x-k8s.io/queue-name': 'nexusos',
    'kueue.x-k8s.io/priority-class': 'urgent',
  });
  t.like(pod?.['spec'], { schedulingGates: [{ name: GATE }], affinity: undefined });
  const [free] = planRun(makeRun(), { ...seen, capacity: undefined }, NOW).create;
  t.is(free?.metadata.labels?.['kueue.x-k8s.io/queue-name'], undefined);
  t.is(pod?.metadata.annotations?.[ANNOTATIONS.admission], undefined, 'it does not say that it is admitted');
  t.like(free?.['spec'], { schedulingGates: undefined });
});

test('while its pod is refused it stays Queued, and says why', (t) => {
  const obstacle = new ReconcileError('dependency_unavailable', 'failed calling webhook "mpod.kb.io"');
  const plan = planHeldUp(makeRun({}, waiting(undefined, 10)), obstacle, NOW);
  t.is(plan?.status?.phase, 'Queued');
  t.is(standing(plan?.status ?? {}, 'Admitted'), 'False');
  t.is(plan?.status?.conditions?.find(({ type }) => type === 'Ready')?.reason, 'WorkloadRefused');
});

const SAID: Readonly<
  Record<string, { readonly seen?: KubeObject; readonly pod?: KubeObject; readonly want: RegExp }>
> = {
  'no Workload, though its webhook has seen the pod': { want: /has not looked at it yet/ },
  'no mark of its webhook': {
    pod: { ...gated(), metadata: { ...gated().metadata, labels: {} } },
    want: /integration of pods on/,
  },
  'nothing decided': { seen: workload(), want: /has not decided yet/ },
  'no quota': { seen: NO_ROOM, want: /^WaitingForQuota: insufficient quota for cpu$/ },
  'evicted before it started': { seen: workload(condition('Evicted', 'True')), want: /^R: words$/ },
  'quota, and a check that is open': {
    seen: {
      ...workload(),
      status: {
        conditions: [condition('QuotaReserved', 'True')],
        admissionChecks: [
          { name: 'nodes', state: 'Pending', message: 'provisioning' },
          { name: 'done', state: 'Ready', message: 'well' },
        ],
      },
    },
    want: /admission checks are open: nodes is Pending provisioning$/,
  },
};
for (const [name, { seen, pod = gated(), want }] of Object.entries(SAID)) {
  test(`what Kueue says: ${name}`, (t) => t.regex(wordsOfKueue(pod, seen), want));
}

test('a dry run tells that it would wait for Kueue, and makes nothing', (t) => {
  const plan = planRun(
    makeRun({ dryRun: true }),
    { ...NOTHING_SEEN, reservation: RESERVED, ...KUEUES() },
    NOW,
  );
  t.deepEqual(plan.create, []);
  t.like(plan.status?.dryRun, { phase: 'Queued', reason: 'WaitingForCapacity' });
  t.regex(plan.status?.dryRun?.message ?? '', /would be made at once, and wait for Kueue/);
});

test('words of Kueue are cut, however long', (t) => {
  t.true(waitsForCapacity('x'.repeat(100_000)).message.length < 1024);
});
