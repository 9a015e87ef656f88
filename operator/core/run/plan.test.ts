// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../object.ts';
import { ago, makeAgent, makeClass, makeJob, makePod, makeTenant } from './testing/make.ts';
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

const FAILED = { type: 'Failed', reason: 'BackoffLimitExceeded' };

/** A Job that has ended so many seconds ago. */
function endedAgo(seconds: number, type: 'Complete' | 'Failed'): KubeObject {
  const conditions = [{ type, status: 'True', lastTransitionTime: ago(seconds) }];
  return { ...makeJob(), status: { conditions } };
}

/** A pod that was deleted, and has ended so. */
function going(terminated: object): KubeObject {
  const pod = makePod({ terminated }, { phase: 'Failed' });
  return { ...pod, metadata: { ...pod.metadata, deletionTimestamp: ago(1) } };
}

const REFUSED_BY_NODE = { phase: 'Failed', reason: 'OutOfcpu', message: 'Node did not have enough resource' };
const REJECTED = makePod({}, { ...REFUSED_BY_NODE, containerStatuses: [] });

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
    wantSaid: ['found 50', 'allowed are 40', 'quotas.runs.maxQueued', 'your platform team'],
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
  'one that is refused since Runs are created too fast says so': {
    seen: { place: { ...WAITING, reason: 'RateLimited', full: { found: 50, allowed: 40 } } },
    want: { phase: 'Failed', reason: 'RateLimited', code: 'rate_limited' },
    wantSaid: ['found 50', 'allowed are 40'],
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
  'a reserved Run is admitted, and then its Job is made': {
    seen: { reservation: RESERVED },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Job'],
  },
  'a workload that was made too late is ended before the next attempt is admitted': {
    status: { phase: 'Queued', attempt: 1 },
    seen: { reservation: { ...RESERVED, attempt: 2 }, job: makeJob() },
    wantRemoved: ['Job'],
  },
  'one that has ended is left as it is': {
    status: { phase: 'Queued', attempt: 1 },
    seen: { reservation: { ...RESERVED, attempt: 2 }, job: makeJob({ type: 'Failed' }) },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Job'],
  },
  'a reserved Run with input gets it in a ConfigMap first': {
    spec: { input: { inline: 'hello' } },
    seen: { reservation: RESERVED },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['ConfigMap', 'Job'],
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
    wantCreated: ['ResourceClaimTemplate', 'Job'],
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
  'an admitted Run without a Job, as after a crash, gets it': {
    status: ACTIVE,
    seen: { reservation: RESERVED },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Job'],
  },
  'the same with a ledger that is older than the Run': {
    status: ACTIVE,
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Job'],
  },
  'a Job whose pod is being made is nothing to tell of': { status: ACTIVE, seen: { job: makeJob() } },
  'a Job whose pod is refused says why': {
    status: ACTIVE,
    seen: { job: makeJob(), refusal: { message: 'exceeded quota', sinceMs: undefined } },
    want: { phase: 'Admitted', reason: 'WorkloadRefused' },
  },
  'a pod that finds no node for long says why': {
    status: ACTIVE,
    seen: {
      job: makeJob(),
      pods: [
        makePod(
          {},
          {
            phase: 'Pending',
            conditions: [
              { type: 'PodScheduled', status: 'False', message: 'no node', lastTransitionTime: ago(5) },
            ],
          },
        ),
      ],
    },
    want: { phase: 'Admitted', reason: 'Starting' },
  },
  'a pod that finds no node for a moment does not': {
    status: ACTIVE,
    seen: {
      job: makeJob(),
      pods: [
        makePod(
          {},
          {
            phase: 'Pending',
            conditions: [
              { type: 'PodScheduled', status: 'False', message: 'no node', lastTransitionTime: ago(1) },
            ],
          },
        ),
      ],
    },
    wantSoon: true,
  },
  'an image that cannot be pulled is told': {
    status: ACTIVE,
    seen: {
      job: makeJob(),
      pods: [
        makePod({ waiting: { reason: 'ImagePullBackOff', message: 'no such image' } }, { phase: 'Pending' }),
      ],
    },
    want: { phase: 'Admitted', reason: 'Starting' },
    wantSoon: true,
  },
  'a container that runs makes it Running': {
    status: ACTIVE,
    seen: { job: makeJob(), pods: [running] },
    want: { phase: 'Running', reason: 'Running' },
  },
  'a Run that runs on is not written again': { status: RUNNING, seen: { job: makeJob(), pods: [running] } },
  'a pod lost with its node takes it back to Admitted': {
    status: RUNNING,
    seen: {
      job: makeJob(),
      pods: [
        makePod(
          { running: {} },
          {
            phase: 'Failed',
            conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC' }],
          },
        ),
      ].map((pod): KubeObject => ({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: ago(0) } })),
    },
    want: { phase: 'Admitted', reason: 'NodeLost' },
  },
  'a complete Job is a success': {
    status: RUNNING,
    seen: {
      job: makeJob({ type: 'Complete' }),
      pods: [succeeded],
    },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'a failed container tells its exit code': {
    status: RUNNING,
    seen: {
      job: makeJob({ type: 'Failed', reason: 'BackoffLimitExceeded' }),
      pods: [makePod({ terminated: { exitCode: 3 } }, { phase: 'Failed' })],
    },
    want: { phase: 'Failed', reason: 'ContainerFailed', code: 'internal_error' },
  },
  'what it says in its failure takes over no terminal': {
    status: RUNNING,
    seen: {
      job: makeJob({ type: 'Failed', reason: 'BackoffLimitExceeded' }),
      pods: [
        makePod({ terminated: { exitCode: 3, message: 'no\u001B[2Jthing\nat all' } }, { phase: 'Failed' }),
      ],
    },
    want: { phase: 'Failed', reason: 'ContainerFailed', code: 'internal_error' },
    wantSaid: ['code 3: no [2Jthing\nat all'],
  },
  'a container without memory left says so': {
    status: RUNNING,
    seen: {
      job: makeJob({ type: 'Failed', reason: 'BackoffLimitExceeded' }),
      pods: [makePod({ terminated: { exitCode: 137, reason: 'OOMKilled' } }, { phase: 'Failed' })],
    },
    want: { phase: 'Failed', reason: 'OutOfMemory', code: 'quota_exceeded' },
  },
  'a Job over its deadline is a timeout': {
    status: RUNNING,
    seen: { job: makeJob({ type: 'Failed', reason: 'DeadlineExceeded' }) },
    want: { phase: 'Failed', reason: 'TimedOut', code: 'timeout' },
  },
  'a failed Job whose pod still seems to run is waited for': {
    status: RUNNING,
    seen: { job: makeJob({ type: 'Failed', reason: 'BackoffLimitExceeded' }), pods: [running] },
    wantSoon: true,
  },
  'a complete Job whose pod was not seen yet is waited for, and for what it says': {
    status: RUNNING,
    seen: { job: makeJob({ type: 'Complete' }) },
    wantSoon: true,
  },
  'but not for long': {
    status: RUNNING,
    seen: { job: endedAgo(5, 'Complete') },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'a failed Job whose pod is gone had it deleted by somebody': {
    status: RUNNING,
    seen: { job: endedAgo(5, 'Failed') },
    want: { phase: 'Failed', reason: 'WorkloadDeleted', code: 'conflict' },
    wantSaid: ['pod was deleted'],
  },
  'also when the last of it is still there': {
    status: RUNNING,
    seen: { job: makeJob(FAILED), pods: [going({ exitCode: 143 })] },
    want: { phase: 'Failed', reason: 'WorkloadDeleted', code: 'conflict' },
  },
  'but a container that failed by itself has': {
    status: RUNNING,
    seen: { job: makeJob(FAILED), pods: [going({ exitCode: 3 })] },
    want: { phase: 'Failed', reason: 'ContainerFailed', code: 'internal_error' },
  },
  'and one without memory left had none': {
    status: RUNNING,
    seen: { job: makeJob(FAILED), pods: [going({ exitCode: 137, reason: 'OOMKilled' })] },
    want: { phase: 'Failed', reason: 'OutOfMemory', code: 'quota_exceeded' },
  },
  'a pod that its node refuses has not failed by itself': {
    status: ACTIVE,
    seen: { job: makeJob(FAILED), pods: [REJECTED] },
    want: { phase: 'Failed', reason: 'StartFailed', code: 'dependency_unavailable' },
    wantSaid: ['OutOfcpu: Node did not have enough'],
  },
  'a Job that somebody deleted ends the Run': {
    status: RUNNING,
    want: { phase: 'Failed', reason: 'WorkloadDeleted', code: 'conflict' },
  },
  'but only when the last of its pods is gone': { status: RUNNING, seen: { pods: [running] } },
  'a pod that has ended holds nothing': {
    status: RUNNING,
    seen: { pods: [succeeded] },
    want: { phase: 'Failed', reason: 'WorkloadDeleted', code: 'conflict' },
  },
  'a namesake of its Job is left alone': {
    status: { ...RUNNING, child: { kind: 'Job', name: 'r-x-1', uid: 'another' } },
    seen: { job: makeJob() },
    want: { phase: 'Failed', reason: 'WorkloadDeleted', code: 'conflict' },
  },
  'there too the last of its pods is waited for': {
    status: { ...RUNNING, child: { kind: 'Job', name: 'r-x-1', uid: 'another' } },
    seen: { job: makeJob(), pods: [running] },
  },
  'cancel ends the Job of a Run that runs': {
    spec: { cancel: true },
    status: RUNNING,
    seen: { job: makeJob(), pods: [running] },
    want: { phase: 'Running', reason: 'Cancelling' },
    wantRemoved: ['Job'],
  },
  'and the Run is Cancelled when nothing of it is left': {
    spec: { cancel: true },
    status: RUNNING,
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },
  'a Run that was complete before the cancel is a success': {
    spec: { cancel: true },
    status: RUNNING,
    seen: { job: makeJob({ type: 'Complete' }), pods: [succeeded] },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'a suspended tenant that pauses ends the Job': {
    status: RUNNING,
    seen: { tenant: PAUSING, job: makeJob(), pods: [running] },
    want: { phase: 'Running', reason: 'Paused' },
    wantRemoved: ['Job'],
  },
  'and the Run goes back to the queue': {
    status: RUNNING,
    seen: { tenant: PAUSING },
    want: { phase: 'Queued', reason: 'Paused' },
  },
  'a suspended tenant that finishes lets it run': {
    status: RUNNING,
    seen: { tenant: makeTenant({ suspended: true }), job: makeJob(), pods: [running] },
  },
  'a finished Run is left alone': { status: { phase: 'Succeeded', finishedAt: ago(9) } },
  'a finished Run goes after its time': {
    spec: { ttlSecondsAfterFinished: 5 },
    status: { phase: 'Succeeded', finishedAt: ago(9) },
    wantRemoved: ['Run'],
  },
  'and not before its use is counted': {
    spec: { ttlSecondsAfterFinished: 5 },
    status: { phase: 'Succeeded', finishedAt: ago(9) },
    seen: { reservation: RESERVED },
    wantSoon: true,
  },
  'nor before its time': {
    spec: { ttlSecondsAfterFinished: 50 },
    status: { phase: 'Succeeded', finishedAt: ago(9) },
    wantSoon: true,
  },
  'a Job that was made too late for a Run that has ended is removed': {
    status: { phase: 'Cancelled', finishedAt: ago(1) },
    seen: { job: makeJob() },
    wantRemoved: ['Job'],
  },
};

testPlans(cases);
