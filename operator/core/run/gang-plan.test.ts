// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunStatus } from '#crds/v1alpha1/run';
import type { Member } from './gang.ts';
import type { RunObserved, RunPlan } from './observed.ts';
import { planRun } from './plan.ts';
import {
  ADMITTED_GANG,
  as,
  disrupted,
  ended,
  ending,
  indexIn,
  makeMember,
  nodeless,
  pulling,
  RUNNING_GANG,
  seenOf,
} from './testing/gang-cases.ts';
import { ago, going, makeRun, NOW } from './testing/make.ts';
import { PAUSING } from './testing/plan-cases.ts';

interface Case {
  readonly status: RunStatus;
  readonly members: readonly Member[];
  readonly spec?: Parameters<typeof makeRun>[0];
  readonly seen?: Partial<RunObserved>;
  /** Undefined: the status stays as it is. */
  readonly want?: {
    readonly phase: string;
    readonly reason: string;
    readonly code?: string;
    readonly index?: number;
  };
  /** Indexes of the pods that are made, and of those that are deleted. */
  readonly wantMade?: readonly number[];
  readonly wantEnded?: readonly number[];
  readonly wantWords?: string;
}

const three = [makeMember(0), makeMember(1), makeMember(2)];
const cases: Record<string, Case> = {
  'after the admission all are made': {
    status: ADMITTED_GANG,
    members: [],
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantMade: [0, 1, 2],
  },
  'after a crash those are made that are not there, and those that are there are asked for by the same names':
    {
      status: ADMITTED_GANG,
      members: [makeMember(1)],
      want: { phase: 'Admitted', reason: 'Admitted' },
      wantMade: [0, 1, 2],
    },
  'also when one that was made first has ended well by then': {
    status: ADMITTED_GANG,
    members: [ended(0, 0)],
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantMade: [0, 1, 2],
  },
  'one that failed before all were made ends the others, and no more are made': {
    status: ADMITTED_GANG,
    members: [ended(0, 3), makeMember(1)],
    want: { phase: 'Admitted', reason: 'ContainerFailed', code: 'internal_error', index: 0 },
    wantEnded: [1],
  },
  'pods that are starting are nothing to tell of': {
    status: ADMITTED_GANG,
    members: [pulling(0), pulling(1), pulling(2)],
  },
  'who does not start is told with its index': {
    status: ADMITTED_GANG,
    members: [makeMember(0), makeMember(1), nodeless(2)],
    want: { phase: 'Admitted', reason: 'Starting' },
    wantWords: 'waits for pod 2 to start: waits for a node: no node',
  },
  'it runs when all run, and not before': {
    status: ADMITTED_GANG,
    members: three,
    want: { phase: 'Running', reason: 'Running' },
    wantWords: 'its 3 pods run',
  },
  'one that has ended well by then has run': {
    status: ADMITTED_GANG,
    members: [ended(0, 0), makeMember(1), makeMember(2)],
    want: { phase: 'Running', reason: 'Running' },
  },
  'a Run that runs on is not written again': { status: RUNNING_GANG, members: three },
  'it has succeeded when all have': {
    status: RUNNING_GANG,
    members: [ended(0, 0), ended(1, 0), ended(2, 0)],
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'one that fails ends the others': {
    status: RUNNING_GANG,
    members: [makeMember(0), ended(1, 3), makeMember(2)],
    want: { phase: 'Running', reason: 'ContainerFailed', code: 'internal_error', index: 1 },
    wantEnded: [0, 2],
    wantWords: 'pod 1: the container ended with exit code 3',
  },
  'of several the one that failed first is told: most others fail for want of it': {
    status: RUNNING_GANG,
    members: [ended(0, 5, 1), makeMember(1), ended(2, 3, 4)],
    want: { phase: 'Running', reason: 'ContainerFailed', index: 2 },
    wantEnded: [1],
  },
  'while the others end, nothing more is asked for': {
    status: ending('ContainerFailed', {
      error: { code: 'internal_error', message: 'so it is', retryable: false, index: 1 },
      gang: { ...RUNNING_GANG.gang!, running: 0 },
    }),
    members: [as(makeMember(0), going), ended(1, 3), as(makeMember(2), going)],
  },
  'the Run fails when nothing runs any more': {
    status: ending('ContainerFailed', {
      error: { code: 'internal_error', message: 'pod 1: x', retryable: false, index: 1 },
    }),
    members: [as(ended(0, 143), going), ended(1, 3), as(ended(2, 0), going)],
    want: { phase: 'Failed', reason: 'ContainerFailed', code: 'internal_error', index: 1 },
  },
  'it fails at once where the others have ended': {
    status: RUNNING_GANG,
    members: [ended(0, 0), ended(1, 0), ended(2, 9)],
    want: { phase: 'Failed', reason: 'ContainerFailed', index: 2 },
  },
  'one that is lost ends the others, and fails nothing': {
    status: RUNNING_GANG,
    members: [makeMember(0), as(disrupted(makeMember(1)), going), makeMember(2)],
    want: { phase: 'Running', reason: 'NodeLost' },
    wantEnded: [0, 2],
  },
  'a loss goes before a failure, which may be its doing': {
    status: RUNNING_GANG,
    members: [ended(0, 1), as(disrupted(makeMember(1)), going), makeMember(2)],
    want: { phase: 'Running', reason: 'NodeLost' },
    wantEnded: [2],
  },
  'then it is back in the queue': {
    status: ending('NodeLost'),
    members: [as(ended(0, 143), going), as(ended(1, 143), going), as(ended(2, 143), going)],
    want: { phase: 'Queued', reason: 'NodeLost' },
  },
  'one that somebody deletes keeps the Run until it has ended': {
    status: RUNNING_GANG,
    members: [makeMember(0), as(makeMember(1), going), makeMember(2)],
  },
  'then the others are ended': {
    status: RUNNING_GANG,
    members: [makeMember(0), as(ended(1, 143), going), makeMember(2)],
    want: { phase: 'Running', reason: 'WorkloadDeleted', code: 'conflict', index: 1 },
    wantEnded: [0, 2],
  },
  'one that is gone, whatever was to keep it, is not made anew': {
    status: RUNNING_GANG,
    members: [makeMember(0), makeMember(2)],
    want: { phase: 'Running', reason: 'WorkloadDeleted', code: 'conflict' },
    wantEnded: [0, 2],
  },
  'nor are all': {
    status: RUNNING_GANG,
    members: [],
    want: { phase: 'Failed', reason: 'WorkloadDeleted', code: 'conflict' },
  },
  'a pause ends all': {
    status: RUNNING_GANG,
    members: three,
    seen: { ...PAUSING },
    want: { phase: 'Running', reason: 'Paused' },
    wantEnded: [0, 1, 2],
  },
  'so does a suspension before all were made': {
    status: ADMITTED_GANG,
    members: [makeMember(0)],
    spec: { suspend: true },
    want: { phase: 'Admitted', reason: 'Suspended' },
    wantEnded: [0],
  },
  'and a cancellation': {
    status: RUNNING_GANG,
    members: [ended(0, 0), makeMember(1), makeMember(2)],
    spec: { cancel: true },
    want: { phase: 'Running', reason: 'Cancelling' },
    wantEnded: [1, 2],
  },
  'who has ended well by himself has done his work all the same': {
    status: RUNNING_GANG,
    members: [ended(0, 0), ended(1, 0), ended(2, 0)],
    spec: { cancel: true },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'a cancelled one is final when nothing of it runs': {
    status: ending('Cancelling'),
    members: [ended(0, 0), as(ended(1, 143), going), as(ended(2, 143), going)],
    spec: { cancel: true },
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },
  'not all have started in time: all are ended': {
    status: { ...ADMITTED_GANG, gang: { ...ADMITTED_GANG.gang!, startBefore: ago(1) } },
    members: [makeMember(0), makeMember(1), nodeless(2)],
    want: { phase: 'Admitted', reason: 'GangNotStarted' },
    wantEnded: [0, 1, 2],
    wantWords: 'of its 3 pods 3 were made and 2 started, not within spec.gang.startTimeoutSeconds',
  },
  'not all could be made in time: those that were are ended': {
    status: { ...ADMITTED_GANG, gang: { ...ADMITTED_GANG.gang!, startBefore: ago(1) } },
    members: [makeMember(0), makeMember(1)],
    want: { phase: 'Admitted', reason: 'GangNotStarted' },
    wantEnded: [0, 1],
  },
  'all run before their time is over: it counts no more': {
    status: { ...RUNNING_GANG, gang: { ...RUNNING_GANG.gang!, startBefore: ago(1) } },
    members: [makeMember(0), as(makeMember(1), going), makeMember(2)],
  },
  'what it is made from is gone before all were made: those that were are ended first': {
    status: ADMITTED_GANG,
    members: [makeMember(0)],
    seen: { agent: undefined },
    want: { phase: 'Admitted', reason: 'GangNotStarted' },
    wantEnded: [0],
    wantWords: 'AgentNotFound: Agent agent was deleted',
  },
  'what it is made from is gone before any was made': {
    status: ADMITTED_GANG,
    members: [],
    seen: { agent: undefined },
    want: { phase: 'Queued', reason: 'AgentNotFound' },
  },
};

function readyOf(plan: RunPlan) {
  return plan.status?.conditions?.find(({ type }) => type === 'Ready');
}

function told(plan: RunPlan) {
  const { phase, error } = plan.status ?? {};
  return { phase, reason: readyOf(plan)?.reason, code: error?.code, index: error?.index };
}

function isOpen({ status }: RunPlan): boolean {
  return status?.usage?.open !== undefined;
}

function isActive({ status }: RunPlan): boolean {
  return status?.phase === 'Admitted' || status?.phase === 'Running';
}

for (const [name, given] of Object.entries(cases)) {
  test(name, (t) => {
    const { want, wantMade = [], wantEnded = [], wantWords = '' } = given;
    const run = makeRun(given.spec, given.status);
    const plan = planRun(run, seenOf(given.members, given.seen), NOW);
    if (want === undefined) t.is(plan.status, run.status);
    else t.like(told(plan), want);
    t.true((readyOf(plan)?.message ?? '').includes(wantWords), readyOf(plan)?.message);
    const pods = plan.create.filter(({ kind }) => kind === 'Pod').map(({ metadata }) => metadata.name);
    t.deepEqual(pods.map(indexIn), [...wantMade]);
    t.deepEqual(
      plan.remove.map(({ ref }) => indexIn(ref.name)),
      [...wantEnded],
    );
    t.is(isOpen(plan), isActive(plan), 'an attempt is settled when, and only when, it ends');
  });
}
