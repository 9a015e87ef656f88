// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../object.ts';
import { isPodFinished } from './outcome.ts';
import { planRun } from './plan.ts';
import { ago, going, makePod, makeRun, NOW, starting } from './testing/make.ts';
import {
  ACTIVE,
  type Case,
  NOTHING_SEEN,
  running,
  RUNNING,
  succeeded,
  testPlans,
} from './testing/plan-cases.ts';

const FAILED = { phase: 'Failed' };
const REFUSED_BY_NODE = { phase: 'Failed', reason: 'OutOfcpu', message: 'Node did not have enough resource' };
const REJECTED = makePod({}, { ...REFUSED_BY_NODE, containerStatuses: [] });

/** A pod that has not found a node for so many seconds. */
function nodeless(seconds: number): KubeObject {
  const lastTransitionTime = ago(seconds);
  const condition = { type: 'PodScheduled', status: 'False', message: 'no node', lastTransitionTime };
  return { ...makePod({}, { phase: 'Pending', conditions: [condition] }), spec: {} };
}

/** `pod` as it is when something takes it off its node. */
function disrupted(pod: KubeObject, status: object = {}): KubeObject {
  const condition = { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' };
  const conditions = [{ ...condition, message: 'Eviction API: evicting', lastTransitionTime: ago(1) }];
  return { ...pod, status: { ...(pod['status'] as object), conditions, ...status } };
}

/** A pod whose container ended well so many seconds ago. */
function endedWell(seconds: number): KubeObject {
  return makePod({ terminated: { exitCode: 0, finishedAt: ago(seconds) } }, { phase: 'Succeeded' });
}

/** `pod`, made ten seconds ago, with so many seconds for all it does. */
function within(pod: KubeObject, activeDeadlineSeconds: number): KubeObject {
  return { ...pod, spec: { ...(pod['spec'] as object), activeDeadlineSeconds } };
}

function forced(pod: KubeObject): KubeObject {
  const deletion = { deletionTimestamp: ago(3), deletionGracePeriodSeconds: 0 };
  return { ...pod, metadata: { ...pod.metadata, ...deletion } };
}

/** `pod`, deleted this very second. */
function deletedNow(pod: KubeObject): KubeObject {
  const deletion = { deletionTimestamp: ago(-30), deletionGracePeriodSeconds: 30 };
  return { ...pod, metadata: { ...pod.metadata, ...deletion } };
}

/** Status of a Run whose pod is being ended, and of which it is told why. */
function told(reason: string) {
  const conditions = RUNNING.conditions?.map((one) => ({ ...one, reason, message: 'so it is' })) ?? [];
  return { ...RUNNING, conditions };
}

const TIMED_OUT = {
  ...told('TimedOut'),
  error: { code: 'timeout', message: 'late', retryable: true },
} as const;

const cases: Record<string, Case> = {
  'a pod that is starting is nothing to tell of': { status: ACTIVE, seen: { pod: starting } },
  'a pod that finds no node for long says why': {
    status: ACTIVE,
    seen: { pod: nodeless(5) },
    want: { phase: 'Admitted', reason: 'Starting' },
  },
  'a pod that finds no node for a moment does not': {
    status: ACTIVE,
    seen: { pod: nodeless(1) },
    wantSoon: true,
  },
  'an image that cannot be pulled is told': {
    status: ACTIVE,
    seen: {
      pod: makePod(
        { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } },
        { phase: 'Pending' },
      ),
    },
    want: { phase: 'Admitted', reason: 'Starting' },
    wantSoon: true,
  },
  'a container that runs makes it Running': {
    status: ACTIVE,
    seen: { pod: running },
    want: { phase: 'Running', reason: 'Running' },
  },
  'a Run that runs on is not written again': { status: RUNNING, seen: { pod: running } },
  'a pod that has succeeded is a success': {
    status: RUNNING,
    seen: { pod: succeeded },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'also when somebody deletes it then': {
    status: RUNNING,
    seen: { pod: forced(succeeded) },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'a failed container that says a code of ours': {
    status: RUNNING,
    seen: {
      pod: makePod(
        {
          terminated: {
            exitCode: 21,
            message: '{"error":{"message":"slow down","retryable":true,"code":"rate_limited"}}',
          },
        },
        { phase: 'Failed' },
      ),
    },
    want: { phase: 'Failed', reason: 'ContainerFailed', code: 'rate_limited' },
    wantSaid: ['code 21: slow down'],
  },
  'a failed container tells its exit code': {
    status: RUNNING,
    seen: { pod: makePod({ terminated: { exitCode: 3 } }, FAILED) },
    want: { phase: 'Failed', reason: 'ContainerFailed', code: 'internal_error' },
  },
  'what it says in its failure takes over no terminal': {
    status: RUNNING,
    seen: {
      pod: makePod({ terminated: { exitCode: 3, message: 'no\u001B[2Jthing\nat all' } }, FAILED),
    },
    want: { phase: 'Failed', reason: 'ContainerFailed', code: 'internal_error' },
    wantSaid: ['code 3: no [2Jthing\nat all'],
  },
  'a container without memory left says so': {
    status: RUNNING,
    seen: { pod: makePod({ terminated: { exitCode: 137, reason: 'OOMKilled' } }, FAILED) },
    want: { phase: 'Failed', reason: 'OutOfMemory', code: 'quota_exceeded' },
  },
  'a pod that its node refuses has not failed by itself': {
    status: ACTIVE,
    seen: { pod: REJECTED },
    want: { phase: 'Failed', reason: 'StartFailed', code: 'dependency_unavailable' },
    wantSaid: ['OutOfcpu: Node did not have enough'],
  },

  'a pod that somebody deletes keeps its place until it has ended': {
    status: RUNNING,
    seen: { pod: going(running) },
  },
  'then it is said that somebody did': {
    status: RUNNING,
    seen: { pod: going(makePod({ terminated: { exitCode: 143 } }, FAILED)) },
    want: { phase: 'Failed', reason: 'WorkloadDeleted', code: 'conflict' },
    wantSaid: ['pod was deleted'],
  },
  'but a container that failed by itself has': {
    status: RUNNING,
    seen: { pod: going(makePod({ terminated: { exitCode: 3 } }, FAILED)) },
    want: { phase: 'Failed', reason: 'ContainerFailed', code: 'internal_error' },
  },
  'and one without memory left had none': {
    status: RUNNING,
    seen: { pod: going(makePod({ terminated: { exitCode: 137, reason: 'OOMKilled' } }, FAILED)) },
    want: { phase: 'Failed', reason: 'OutOfMemory', code: 'quota_exceeded' },
  },
  'one that was deleted before it had a node gets none any more': {
    status: ACTIVE,
    seen: { pod: going(nodeless(5)) },
    want: { phase: 'Failed', reason: 'WorkloadDeleted', code: 'conflict' },
  },
  'of one that is deleted by force nobody will say more': {
    status: RUNNING,
    seen: { pod: forced(running) },
    want: { phase: 'Failed', reason: 'WorkloadDeleted', code: 'conflict' },
  },
  'a pod that is gone, whatever was to keep it, ends the Run': {
    status: RUNNING,
    want: { phase: 'Failed', reason: 'WorkloadDeleted', code: 'conflict' },
  },
  'a namesake of its pod is left alone': {
    status: { ...RUNNING, child: { name: 'r-x-1', uid: 'another' } },
    seen: { pod: running },
    want: { phase: 'Failed', reason: 'WorkloadDeleted', code: 'conflict' },
  },

  'that a pod may have to leave its node is announced before it is certain': {
    status: RUNNING,
    seen: { pod: disrupted(running) },
  },
  'one that has to go is told, whatever its container will make of that': {
    status: RUNNING,
    seen: { pod: disrupted(going(running)) },
    want: { phase: 'Running', reason: 'NodeLost' },
    wantWords: 'EvictionByEvictionAPI: Eviction API: evicting',
    wantRemoved: ['Pod'],
  },
  'and its Run is in the queue when it has ended': {
    status: told('NodeLost'),
    seen: { pod: disrupted(going(makePod({ terminated: { exitCode: 1 } }, FAILED))) },
    want: { phase: 'Queued', reason: 'NodeLost' },
  },
  'also where it ended well, as some do when they are told to end': {
    status: told('NodeLost'),
    seen: { pod: disrupted(going(succeeded)) },
    want: { phase: 'Queued', reason: 'NodeLost' },
  },
  'a success that was seen before anything was told is one': {
    status: RUNNING,
    seen: { pod: disrupted(going(succeeded)) },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'so is one that ended before it had to go': {
    status: RUNNING,
    seen: { pod: disrupted(going(endedWell(2))) },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'and one that ended in the very second: instants tell no more': {
    status: RUNNING,
    seen: { pod: disrupted(going(endedWell(1))) },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'one that ended well only when it had to go, with nobody to tell of it, has not done its work': {
    status: RUNNING,
    seen: { pod: disrupted(going(endedWell(0))) },
    want: { phase: 'Queued', reason: 'NodeLost' },
    wantWords: 'EvictionByEvictionAPI',
  },
  'that it had to go may have been announced in the second before it was deleted': {
    status: RUNNING,
    seen: { pod: disrupted(deletedNow(endedWell(0))) },
    want: { phase: 'Queued', reason: 'NodeLost' },
  },
  'what was announced and did not come to pass is no loss': {
    status: RUNNING,
    seen: { pod: disrupted(endedWell(0)) },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'one that ended well only when somebody deleted it has not done its work either': {
    status: RUNNING,
    seen: { pod: going(endedWell(0)) },
    want: { phase: 'Failed', reason: 'WorkloadDeleted', code: 'conflict' },
    wantSaid: ['pod was deleted'],
  },
  'also where its node has deleted it once more since': {
    status: RUNNING,
    seen: { pod: forced(endedWell(2)) },
    want: { phase: 'Failed', reason: 'WorkloadDeleted', code: 'conflict' },
  },
  'one that ended well before somebody deleted it has': {
    status: RUNNING,
    seen: { pod: forced(endedWell(4)) },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'one that was told to end by us goes back to the queue as ever': {
    status: told('Paused'),
    seen: { pod: going(endedWell(0)) },
    want: { phase: 'Queued', reason: 'Paused' },
  },
  'a pod that its node has put out is back in the queue at once': {
    status: RUNNING,
    seen: { pod: disrupted(makePod({ terminated: { exitCode: 137 } }), { ...FAILED, reason: 'Evicted' }) },
    want: { phase: 'Queued', reason: 'NodeLost' },
    wantWords: 'Evicted: ',
  },
  'so is one whose node is gone, though its container still seems to run': {
    status: RUNNING,
    seen: { pod: disrupted(forced(running), FAILED) },
    want: { phase: 'Queued', reason: 'NodeLost' },
  },
  'one on a node that is silent holds its place: it may still run': {
    status: told('NodeLost'),
    seen: { pod: disrupted(going(running)) },
    wantRemoved: ['Pod'],
    want: { phase: 'Running', reason: 'NodeLost' },
  },
  'a Run that is cancelled while its pod is lost is Cancelled': {
    spec: { cancel: true },
    status: told('NodeLost'),
    seen: { pod: disrupted(going(makePod({ terminated: { exitCode: 143 } }, FAILED))) },
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },

  'a pod within its time is looked at when that is over': {
    status: RUNNING,
    seen: { pod: within(running, 11) },
    wantSoon: true,
  },
  'one that takes longer is ended': {
    status: RUNNING,
    seen: { pod: within(running, 10) },
    want: { phase: 'Running', reason: 'TimedOut', code: 'timeout' },
    wantRemoved: ['Pod'],
  },
  'also one that has no node yet': {
    status: ACTIVE,
    seen: { pod: within(nodeless(9), 10) },
    want: { phase: 'Admitted', reason: 'TimedOut', code: 'timeout' },
    wantRemoved: ['Pod'],
  },
  'and its Run has failed when it has ended, however': {
    status: TIMED_OUT,
    seen: { pod: within(going(succeeded), 10) },
    want: { phase: 'Failed', reason: 'TimedOut', code: 'timeout' },
  },
  'one that has succeeded in time, and was not seen to, has succeeded': {
    status: RUNNING,
    seen: { pod: within(succeeded, 5) },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'a pod that its node ended, since we did not, took too long as well': {
    status: RUNNING,
    seen: { pod: makePod({ terminated: { exitCode: 137 } }, { ...FAILED, reason: 'DeadlineExceeded' }) },
    want: { phase: 'Failed', reason: 'TimedOut', code: 'timeout' },
  },
};

testPlans(cases);

test('an attempt that took too long tells when its container started, though nobody had seen it run', (t) => {
  const pod = within(going(makePod({ terminated: { exitCode: 143, startedAt: ago(8) } }, FAILED)), 10);
  const { status: after } = planRun(makeRun({}, TIMED_OUT), { ...NOTHING_SEEN, pod }, NOW);
  t.like(after, { phase: 'Failed', startedAt: ago(8) });
});

test('a pod has ended when it says so, or nobody is left who could', (t) => {
  t.true([succeeded, forced(running), going(nodeless(5)), REJECTED].every(isPodFinished));
  t.false([running, starting, nodeless(5), going(running), going(starting)].some(isPodFinished));
});
