// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunSpec, RunStatus } from '#crds/v1alpha1/run';
import type { Condition } from '../object.ts';
import { NOTHING_SEEN, RUNNING } from './testing/plan-cases.ts';
import { ago, makePod, makeRun, NOW } from './testing/make.ts';
import { judgeParent } from './parent.ts';
import { planRun } from './plan.ts';
import { childName, type Run } from './run.ts';

const POD_1 = childName({ name: 'above', uid: 'above-uid' }, 1);
const POD_2 = childName({ name: 'above', uid: 'above-uid' }, 2);

function parentOf(
  status: RunStatus = { phase: 'Running', attempt: 1, admittedAt: ago(9) },
  spec: Partial<RunSpec> = {},
): Run {
  const run = makeRun(spec, status);
  return { ...run, metadata: { ...run.metadata, name: 'above', uid: 'above-uid' } };
}

function childOf(pod: string | undefined, status?: RunStatus): Run {
  return makeRun({ parentRef: { name: 'above', uid: 'above-uid', ...(pod && { pod }) } }, status);
}

function ready(reason: string): Condition[] {
  return [
    {
      type: 'Ready',
      status: 'False',
      reason,
      message: 'm',
      observedGeneration: 1,
      lastTransitionTime: ago(1),
    },
  ];
}

const CALLED: RunStatus = {
  ...RUNNING,
  call: { depth: 1, levels: 0, attempt: 1, root: { name: 'above', uid: 'above-uid' } },
};

interface Case {
  readonly child: Run;
  readonly parent: Run | undefined;
  readonly want: string;
}

const CASES: Readonly<Record<string, Case>> = {
  'a parent that runs': { child: childOf(POD_1), parent: parentOf(), want: 'active' },
  'one that is admitted, by no pod': {
    child: childOf(undefined),
    parent: parentOf({ phase: 'Admitted', attempt: 3, admittedAt: ago(1) }),
    want: 'active',
  },
  'one that is not there': { child: childOf(POD_1), parent: undefined, want: 'ParentNotFound' },
  'one that is gone since': { child: childOf(POD_1, CALLED), parent: undefined, want: 'over' },
  'a namesake of it': {
    child: childOf(POD_1),
    parent: makeRun({}, { phase: 'Running', attempt: 1 }),
    want: 'ParentNotFound',
  },
  'one of another namespace': {
    child: childOf(POD_1),
    parent: { ...parentOf(), metadata: { ...parentOf().metadata, namespace: 'acme-prod' } },
    want: 'ParentNotFound',
  },
  'one that has not started': {
    child: childOf(undefined),
    parent: parentOf({ phase: 'Queued' }),
    want: 'ParentNotRunning',
  },
  'one that is back in the queue': {
    child: childOf(undefined),
    parent: parentOf({ phase: 'Queued', attempt: 1, admittedAt: ago(9) }),
    want: 'over',
  },
  'one that has succeeded': {
    child: childOf(POD_1),
    parent: parentOf({ phase: 'Succeeded', attempt: 1 }),
    want: 'over',
  },
  'one at a later attempt': {
    child: childOf(POD_1),
    parent: parentOf({ phase: 'Running', attempt: 2, admittedAt: ago(1) }),
    want: 'over',
  },
  'one at a later attempt, of who was admitted at the first': {
    child: childOf(undefined, CALLED),
    parent: parentOf({ phase: 'Running', attempt: 2, admittedAt: ago(1) }),
    want: 'over',
  },
  'the pod of another Run': {
    child: childOf('other-0123456789-1'),
    parent: parentOf(),
    want: 'ParentNotFound',
  },
  'a pod that there will be': { child: childOf(POD_2), parent: parentOf(), want: 'ParentNotFound' },
  'one that is cancelled': {
    child: childOf(POD_1),
    parent: parentOf(undefined, { cancel: true }),
    want: 'over',
  },
  'one that was told to pause': {
    child: childOf(POD_1),
    parent: parentOf({ phase: 'Running', attempt: 1, admittedAt: ago(9), conditions: ready('Paused') }),
    want: 'over',
  },
  'one that is to be suspended, which may be taken back': {
    child: childOf(POD_1),
    parent: parentOf(undefined, { suspend: true }),
    want: 'active',
  },
  'one that ends with its own parent': {
    child: childOf(POD_1),
    parent: parentOf({ phase: 'Running', attempt: 1, admittedAt: ago(9), conditions: ready('ParentEnded') }),
    want: 'over',
  },
};

for (const [name, { child, parent, want }] of Object.entries(CASES)) {
  test(`the parent: ${name}`, (t) => {
    const verdict = judgeParent(child, parent);
    t.is(verdict?.kind === 'refused' ? verdict.failure.reason : verdict?.kind, want);
  });
}

test('who names no parent has none', (t) => {
  t.is(judgeParent(makeRun(), undefined), undefined);
});

test('a Run that waits is cancelled when its parent ends, and fails when it never had one', (t) => {
  const ended = planRun(
    childOf(POD_1),
    { ...NOTHING_SEEN, parent: parentOf({ phase: 'Failed', attempt: 1 }) },
    NOW,
  );
  t.is(ended.status?.phase, 'Cancelled');
  const none = planRun(childOf(POD_1), { ...NOTHING_SEEN, parent: undefined }, NOW);
  t.like(none.status, { phase: 'Failed', error: { code: 'not_found', retryable: false } });
});

/** Who names no parent that could call it. */
const NEVER_CALLED = {
  'one that is not there': {
    parent: undefined,
    want: { phase: 'Failed', reason: 'ParentNotFound', code: 'not_found' },
  },
  'one that has not started': {
    parent: parentOf({ phase: 'Queued' }),
    want: { phase: 'Failed', reason: 'ParentNotRunning', code: 'conflict' },
  },
};

for (const [what, { parent, want }] of Object.entries(NEVER_CALLED)) {
  test(`a Run that names as its parent ${what} fails`, (t) => {
    const { status } = planRun(childOf(undefined), { ...NOTHING_SEEN, parent }, NOW);
    const reason = status?.conditions?.find(({ type }) => type === 'Ready')?.reason;
    t.deepEqual({ phase: status?.phase, reason, code: status?.error?.code }, want);
  });
}

test('a Run that runs is ended with its parent, and cancelled when nothing of it is left', (t) => {
  const parent = parentOf({ phase: 'Succeeded', attempt: 1 });
  const pod = makePod({ running: { startedAt: ago(5) } });
  const ending = planRun(childOf(undefined, CALLED), { ...NOTHING_SEEN, parent, pod }, NOW);
  t.deepEqual(
    ending.remove.map(({ ref }) => ref.uid),
    ['pod-uid'],
  );
  t.is(ending.status?.phase, 'Running');
  const run = childOf(undefined, ending.status);
  const over = planRun(run, { ...NOTHING_SEEN, parent, pod: undefined }, NOW);
  t.like(over.status, { phase: 'Cancelled', error: undefined });
  t.regex(
    over.status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? '',
    /ended with the attempt that called it: Run above has ended \(Succeeded\)/,
  );
});

test('what its container made of its work counts when that was done before its parent ended', (t) => {
  const parent = parentOf({ phase: 'Succeeded', attempt: 1 });
  const terminated = { exitCode: 0, startedAt: ago(5), finishedAt: ago(2) };
  const pod = makePod({ terminated }, { phase: 'Succeeded' });
  const plan = planRun(childOf(undefined, CALLED), { ...NOTHING_SEEN, parent, pod }, NOW);
  t.is(plan.status?.phase, 'Succeeded');
});
