// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../object.ts';
import { NO_KIN } from './retirement.ts';
import { leftoversOf } from './plan.ts';
import { ago, going, makeAgent, makeClass, makePod, makeRun, makeTenant } from './testing/make.ts';
import {
  ACTIVE,
  type Case,
  PAUSING,
  RESERVED,
  running,
  RUNNING,
  testPlans,
  WAITING,
  succeeded,
} from './testing/plan-cases.ts';

/** A Run that it has called, and that has not ended. */
const CHILD = makeRun({}, RUNNING);
const CALLED = { ...CHILD, metadata: { ...CHILD.metadata, uid: 'called-uid' } };

/** A pod of the first attempt, made when that was over. */
const LATE = makePod({ running: { startedAt: ago(1) } }, {}, { uid: 'late-uid' });

const cases: Record<string, Case> = {
  'a new Run that fits is not written before it is admitted': {
    seen: { place: { kind: 'next' } },
    wantSoon: true,
  },
  'a new Run in no tenant says so': {
    seen: { place: { kind: 'none' } },
    want: { phase: 'Queued', reason: 'TenantNotFound' },
    wantSoon: true,
  },
  'a new Run that does not fit is queued with its place and why': {
    seen: { place: WAITING },
    want: { phase: 'Queued', reason: 'ConcurrencyExceeded' },
    wantSoon: true,
  },
  'a new Run for a full queue is refused': {
    seen: { place: { ...WAITING, full: { found: 50, allowed: 40 } } },
    want: { phase: 'Failed', reason: 'QueueFull', code: 'quota_exceeded' },
    wantSaid: ['found 50 waiting Runs', 'allowed: 40', 'quotas.runs.maxQueued', 'your platform team'],
  },
  'it is told what it would wait for itself, and not that others do': {
    seen: { place: { ...WAITING, message: 'Agent a is not Ready.', full: { found: 50, allowed: 40 } } },
    want: { phase: 'Failed', reason: 'QueueFull', code: 'quota_exceeded' },
    wantSaid: ['This one would wait as well: Agent a is not Ready. Create'],
  },
  'one whose parameters do not fit is refused for that, since no later time would help': {
    seen: { place: { ...WAITING, reason: 'InvalidParameters', full: { found: 50, allowed: 40 } } },
    want: { phase: 'Failed', reason: 'InvalidParameters', code: 'invalid_request' },
  },
  'one that names tools beyond those of its Agent is refused as by a rule': {
    seen: { place: { ...WAITING, reason: 'ToolsNotAllowed', message: 'spec.tools: found shell' } },
    want: { phase: 'Failed', reason: 'ToolsNotAllowed', code: 'policy_blocked' },
    wantSaid: ['spec.tools: found shell'],
  },
  'so it is where the Agent was changed since its quota was reserved': {
    spec: { tools: ['search', 'shell'] },
    seen: { reservation: RESERVED, agent: makeAgent({ entitlements: { tools: ['search'] } }) },
    want: { phase: 'Failed', reason: 'ToolsNotAllowed', code: 'policy_blocked' },
    wantSaid: ['found shell, which Agent agent is not entitled to; allowed are search'],
  },
  'one that is refused since Runs are created too fast says so': {
    seen: { place: { ...WAITING, reason: 'RateLimited', full: { found: 50, allowed: 40 } } },
    want: { phase: 'Failed', reason: 'RateLimited', code: 'rate_limited' },
    wantSaid: ['found 50', 'allowed: 40'],
  },
  'a Run that waits already stays when the queue is full': {
    status: {
      phase: 'Queued',
      queue: { reason: 'ConcurrencyExceeded', message: '', position: 3, since: ago(9), updatedAt: ago(1) },
    },
    seen: { place: { ...WAITING, full: { found: 50, allowed: 40 } } },
    wantSoon: true,
  },
  'a cancelled Run that waits ends at once': {
    spec: { cancel: true },
    seen: { place: WAITING },
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },
  'a reserved Run is admitted, and then its pod is made': {
    seen: { reservation: RESERVED },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
  'a workload that was made too late is ended before the next attempt is admitted': {
    status: { phase: 'Queued', attempt: 1 },
    seen: { reservation: { ...RESERVED, attempt: 2 }, pod: running },
    wantRemoved: ['Pod'],
  },
  'one that has ended is left as it is': {
    status: { phase: 'Queued', attempt: 1 },
    seen: { reservation: { ...RESERVED, attempt: 2 }, pod: succeeded },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
  'a reserved Run with input gets it in a ConfigMap first': {
    spec: { input: { inline: 'hello' } },
    seen: { reservation: RESERVED },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['ConfigMap', 'Pod'],
  },
  'a reserved Run whose input is not there yet waits for it': {
    spec: { input: { configMapKeyRef: { name: 'data', key: 'doc' } } },
    seen: { reservation: RESERVED },
    want: { phase: 'Admitted', reason: 'InputNotFound' },
    wantSoon: true,
  },
  'a reserved Run whose input has another digest fails': {
    spec: { input: { inline: 'hello', digest: `sha256:${'0'.repeat(64)}` } },
    seen: { reservation: RESERVED },
    want: { phase: 'Failed', reason: 'InvalidInput', code: 'invalid_request' },
    wantSaid: ['spec.input.digest'],
  },
  'a Run whose parameters do not fit fails': {
    seen: { place: { ...WAITING, reason: 'InvalidParameters', message: 'spec.parameters: no' } },
    want: { phase: 'Failed', reason: 'InvalidParameters', code: 'invalid_request' },
    wantSaid: ['spec.parameters: no'],
  },
  'a gang that Kueue would let in one by one fails before it has any quota': {
    seen: { place: { ...WAITING, reason: 'WorkloadRefused', message: 'spec.gang of its Agent: found 3' } },
    want: { phase: 'Failed', reason: 'WorkloadRefused', code: 'invalid_request' },
    wantSaid: ['spec.gang of its Agent: found 3'],
  },
  'a Run whose parameters do not fit its Agent any more fails before it is given them': {
    spec: { parameters: { topic: 'q3' } },
    seen: { reservation: RESERVED, agent: makeAgent({ parameters: [] }) },
    want: { phase: 'Failed', reason: 'InvalidParameters', code: 'invalid_request' },
    wantSaid: ['Agent agent has no topic'],
  },
  'a reserved Run on a DRA class gets a claim template first': {
    seen: {
      reservation: { ...RESERVED, gpuClass: 'dra', gpus: 2 },
      gpuClass: makeClass('dra', { deviceClassName: 'gpu.nvidia.com' }),
    },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['ResourceClaimTemplate', 'Pod'],
  },
  'the reservation of an attempt that is over admits nobody': {
    status: { phase: 'Queued', attempt: 1 },
    seen: { reservation: RESERVED, place: WAITING },
    want: { phase: 'Queued', reason: 'ConcurrencyExceeded' },
    wantSoon: true,
  },
  'a reserved Run whose Agent is gone waits for one, and gives its place to others': {
    seen: { reservation: RESERVED, agent: undefined },
    want: { phase: 'Queued', reason: 'AgentNotFound' },
  },
  'the same when it was admitted, and nothing of it was made': {
    status: ACTIVE,
    seen: { reservation: RESERVED, agent: undefined },
    want: { phase: 'Queued', reason: 'AgentNotFound' },
  },
  'and when its GPU class is gone': {
    seen: { reservation: { ...RESERVED, gpuClass: 'h100', gpus: 2 } },
    want: { phase: 'Queued', reason: 'AgentNotReady' },
  },
  'and when its tenant is': {
    seen: { reservation: RESERVED, tenant: undefined },
    want: { phase: 'Queued', reason: 'TenantNotFound' },
  },
  'an admitted Run without a pod, as after a crash, gets it': {
    status: ACTIVE,
    seen: { reservation: RESERVED },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
  'the same with a ledger that is older than the Run': {
    status: ACTIVE,
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
  'cancel ends the pod of a Run that runs': {
    spec: { cancel: true },
    status: RUNNING,
    seen: { pod: running },
    want: { phase: 'Running', reason: 'Cancelling' },
    wantRemoved: ['Pod'],
  },
  'and the Run is Cancelled when nothing of it is left': {
    spec: { cancel: true },
    status: RUNNING,
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },
  'a Run that was complete before the cancel is a success': {
    spec: { cancel: true },
    status: RUNNING,
    seen: { pod: succeeded },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'a suspended tenant that pauses ends the pod': {
    status: RUNNING,
    seen: { ...PAUSING, pod: running },
    want: { phase: 'Running', reason: 'Paused' },
    wantRemoved: ['Pod'],
  },
  'and the Run goes back to the queue': {
    status: RUNNING,
    seen: { ...PAUSING },
    want: { phase: 'Queued', reason: 'Paused' },
  },
  'a suspended tenant that finishes lets it run': {
    status: RUNNING,
    seen: { tenant: makeTenant({ suspended: true }), pod: running },
  },
  'a finished Run is left alone': { status: { phase: 'Succeeded', finishedAt: ago(9) } },
  'a finished Run goes after its time, and is looked at until it is gone': {
    spec: { ttlSecondsAfterFinished: 5 },
    status: { phase: 'Succeeded', finishedAt: ago(9) },
    wantRemoved: ['Run'],
    wantSoon: true,
  },
  'and not before its use is counted': {
    spec: { ttlSecondsAfterFinished: 5 },
    status: { phase: 'Succeeded', finishedAt: ago(9) },
    seen: { reservation: RESERVED },
    wantSoon: true,
  },
  'nor before Runs that it has called': {
    spec: { ttlSecondsAfterFinished: 5 },
    status: { phase: 'Succeeded', finishedAt: ago(9) },
    seen: { kin: { ...NO_KIN, childrenOf: ({ metadata }) => (metadata.uid === 'run-uid' ? [CALLED] : []) } },
    wantSoon: true,
  },
  'nor before its time': {
    spec: { ttlSecondsAfterFinished: 50 },
    status: { phase: 'Succeeded', finishedAt: ago(9) },
    wantSoon: true,
  },
  'a pod that was made too late for a Run that has ended is removed': {
    status: { phase: 'Cancelled', finishedAt: ago(1) },
    seen: { pod: running },
    wantRemoved: ['Pod'],
  },
  'one that is being deleted already is not deleted once more': {
    status: { phase: 'Cancelled', finishedAt: ago(1) },
    seen: { pod: going(running) },
  },
  'a pod that was made too late for an earlier attempt is removed from beside the present one': {
    status: { ...RUNNING, attempt: 2 },
    seen: { pod: running, leftovers: [LATE] },
    wantRemoved: ['Pod'],
  },
  'and while the present one is being made': {
    status: { ...ACTIVE, attempt: 2 },
    seen: { leftovers: [LATE] },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
    wantRemoved: ['Pod'],
  },
  'and when that is ended as well': {
    spec: { cancel: true },
    status: { ...RUNNING, attempt: 2 },
    seen: { pod: running, leftovers: [LATE] },
    want: { phase: 'Running', reason: 'Cancelling' },
    wantRemoved: ['Pod', 'Pod'],
  },
  'no next attempt is admitted before it is gone': {
    status: { phase: 'Queued', attempt: 2 },
    seen: { reservation: { ...RESERVED, attempt: 3 }, leftovers: [LATE] },
    wantRemoved: ['Pod'],
  },
  'nor while it ends, and nobody asks for that once more': {
    status: { phase: 'Queued', attempt: 2 },
    seen: { reservation: { ...RESERVED, attempt: 3 }, leftovers: [going(LATE)] },
  },
  'a Run that is cancelled meanwhile does not wait for it': {
    spec: { cancel: true },
    status: { phase: 'Queued', attempt: 2 },
    seen: { leftovers: [LATE] },
    want: { phase: 'Cancelled', reason: 'Cancelled' },
    wantRemoved: ['Pod'],
  },
  'nor does it outlive its Run': {
    spec: { ttlSecondsAfterFinished: 5 },
    status: { phase: 'Succeeded', attempt: 2, finishedAt: ago(9) },
    seen: { leftovers: [LATE] },
    wantRemoved: ['Pod', 'Run'],
    wantSoon: true,
  },
};

testPlans(cases);

function named(pod: KubeObject, name: string): KubeObject {
  return { ...pod, metadata: { ...pod.metadata, name } };
}

test('left over of earlier attempts is what has not ended, and is of that very Run', (t) => {
  const run = makeRun({}, { ...RUNNING, attempt: 3 });
  const late = [LATE, named(LATE, 'r-x-2'), going(LATE)];
  const [ended, foreign] = [named(succeeded, 'r-x-2'), makePod({}, {}, { ownerReferences: [] })];
  // The last one is of a later attempt than a Run that is seen late tells of.
  const others = [ended, foreign, named(running, 'r-x-3'), named(running, 'r-x-10')];
  t.deepEqual(leftoversOf(run, [...late, ...others]), late);
  t.deepEqual(leftoversOf(makeRun(), late), []);
});
