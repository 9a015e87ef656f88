// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import {
  after,
  allReady,
  conditionIn,
  makePod,
  makeService,
  pass,
  standing,
} from './testing/service-world.ts';
import { withoutPodSpec } from './trouble.ts';

const agent = makeService({ replicas: { min: 3 } });

interface Case {
  /** Status of the Deployment. */
  readonly status: object;
  /** The container of a pod. */
  readonly container?: object;
  readonly pod?: object;
  readonly want: string;
  readonly says: RegExp;
  readonly available?: 'True' | 'False';
}

const PROGRESSING = { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', message: '' };
const AVAILABLE = { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: '' };
const ROLLING = allReady(4, { updatedReplicas: 1, conditions: [AVAILABLE, PROGRESSING] });
const STARTING = allReady(3, { readyReplicas: 0, availableReplicas: 0, conditions: [PROGRESSING] });

function refused(message: string): object {
  const failure = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message };
  return allReady(1, { conditions: [AVAILABLE, failure] });
}

const cases: Record<string, Case> = {
  'all pods are ready': {
    status: allReady(3),
    want: 'Available',
    says: /takes requests at http:/,
    available: 'True',
  },
  'pods of the former revision are there': {
    status: ROLLING,
    want: 'Progressing',
    says: /revision 1 \(AgentRevision agent-.*\) is being rolled out/,
    available: 'True',
  },
  'the Deployment has not been looked at': {
    status: allReady(3, { observedGeneration: 0 }),
    want: 'Progressing',
    says: /rolled out/,
    available: 'True',
  },
  'the first pods are starting': {
    status: STARTING,
    want: 'Progressing',
    says: /rolled out/,
    available: 'False',
  },
  'no room in the quota of the tenant': {
    status: refused(
      'pods "agent-x" is forbidden: exceeded quota: nexusos, requested: pods=1, used: pods=1, limited: pods=1',
    ),
    want: 'QuotaExceeded',
    says: /spec\.quotas of the Tenant.*a pod takes pods=1, used are pods=1, allowed are pods=1.*ask your platform team/s,
    available: 'True',
  },
  'no room in a quota of somebody else': {
    status: refused('exceeded quota: theirs, requested: pods=1, used: pods=0, limited: pods=0'),
    want: 'PodsRefused',
    says: /ResourceQuota theirs of its namespace/,
  },
  'a policy is against its pods': {
    status: refused('pods "agent-x" is forbidden: ValidatingAdmissionPolicy \'p\' denied request: no'),
    want: 'PodsRefused',
    says: /its pods are refused: .*denied request: no/,
  },
  'a policy is against what would make its pods': {
    status: allReady(0, {
      conditions: [
        {
          type: 'Progressing',
          status: 'False',
          reason: 'ReplicaSetCreateError',
          message: 'Failed to create: no',
        },
      ],
    }),
    want: 'PodsRefused',
    says: /its pods are refused: Failed to create: no/,
  },
  'no such image': {
    status: STARTING,
    container: { state: { waiting: { reason: 'ErrImagePull', message: 'rpc error: not found' } } },
    want: 'Unavailable',
    says: /^ImagePullBackOff: the image registry\.example\.com\/agent:1 cannot be pulled/,
    available: 'False',
  },
  'a container that ends again and again': {
    status: STARTING,
    container: {
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 5m0s' } },
      lastState: { terminated: { exitCode: 3 } },
    },
    want: 'Unavailable',
    says: /^CrashLoopBackOff: .*exit code 3/,
  },
  'a container between two of its ends': {
    status: STARTING,
    container: { state: { running: {} }, lastState: { terminated: { exitCode: 3 } } },
    want: 'Unavailable',
    says: /^CrashLoopBackOff: .*exit code 3/,
  },
  'a container that takes too much memory': {
    status: STARTING,
    container: { state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } },
    want: 'Unavailable',
    says: /more memory than its limit/,
  },
  'no node': {
    status: STARTING,
    pod: {
      conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes are available' }],
      containerStatuses: [],
    },
    want: 'Unavailable',
    says: /a pod waits for a node: 0\/3 nodes/,
  },
  'a configuration that is missing': {
    status: STARTING,
    container: { state: { waiting: { reason: 'CreateContainerConfigError', message: 'no such Secret' } } },
    want: 'Unavailable',
    says: /cannot start: CreateContainerConfigError: no such Secret/,
  },
  'nothing said for too long': {
    status: allReady(3, {
      readyReplicas: 0,
      availableReplicas: 0,
      conditions: [
        { ...PROGRESSING, status: 'False', reason: 'ProgressDeadlineExceeded', message: 'timed out' },
      ],
    }),
    want: 'Unavailable',
    says: /has not been rolled out in time: timed out/,
  },
  'pods that do not answer any more': {
    status: allReady(3, {
      readyReplicas: 1,
      availableReplicas: 1,
      conditions: [{ ...PROGRESSING, reason: 'NewReplicaSetAvailable' }],
    }),
    want: 'Unavailable',
    says: /do not any more.*readinessPath/,
    available: 'False',
  },
};

for (const [title, { status, container, pod, want, says, available }] of Object.entries(cases)) {
  test(`a service says what it is: ${title}`, (t) => {
    const seen = container === undefined && pod === undefined ? [] : [makePod(agent, container ?? {}, pod)];
    const plan = pass(agent, { objects: standing(agent, { status }), pods: seen.map(withoutPodSpec) });
    t.like(conditionIn(plan), { reason: want, status: want === 'Available' ? 'True' : 'False' });
    t.regex(conditionIn(plan)?.message ?? '', says);
    if (available !== undefined) t.is(conditionIn(plan, 'Available')?.status, available);
    t.is(conditionIn(plan, 'Stalled'), undefined, 'it may pass by itself');
  });
}

function noRoom(used: number): object {
  return refused(`exceeded quota: nexusos, requested: pods=1, used: pods=${used}, limited: pods=9`);
}

test('what changes from try to try is no news', (t) => {
  const first = pass(agent, { objects: standing(agent, { status: noRoom(8) }) });
  const next = pass(after(agent, first), { objects: standing(agent, { status: noRoom(9) }) });
  t.deepEqual(next.status.conditions, first.status.conditions);
});

test('pods of the revision that is rolled out are asked first, and those that go not at all', (t) => {
  const bad = { state: { waiting: { reason: 'ErrImagePull' } } };
  const old = makePod(agent, { state: { waiting: { reason: 'CreateContainerError', message: 'old' } } });
  const former = { ...old, metadata: { ...old.metadata, labels: { [LABELS.revision]: 'agent-former' } } };
  const going = makePod(agent, { state: { waiting: { reason: 'Aaa', message: 'going' } } });
  const gone = { ...going, metadata: { ...going.metadata, deletionTimestamp: '2026-11-21T12:00:00Z' } };
  const pods = [former, gone, makePod(agent, bad)];
  const plan = pass(agent, { objects: standing(agent, { status: ROLLING }), pods });
  t.regex(conditionIn(plan)?.message ?? '', /^ImagePullBackOff/);
  const alone = pass(agent, { objects: standing(agent, { status: ROLLING }), pods: [former, gone] });
  t.regex(conditionIn(alone)?.message ?? '', /old/);
});

test('of a pod the store keeps what is read, and nothing of its spec', (t) => {
  const waiting = { waiting: { reason: 'ErrImagePull', message: 'm' } };
  const pod = makePod(agent, { state: waiting }, { podIP: '10.0.0.1' });
  const kept = withoutPodSpec({ ...pod, spec: { containers: [] } });
  t.false('spec' in kept);
  t.deepEqual(kept.metadata.labels, pod.metadata.labels);
  t.deepEqual(kept['status'], {
    conditions: [],
    containerStatuses: [
      {
        name: 'agent',
        ready: undefined,
        image: 'registry.example.com/agent:1',
        state: waiting,
        lastState: undefined,
      },
    ],
  });
});
