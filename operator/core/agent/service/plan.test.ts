// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { AgentSpec } from '#crds/v1alpha1/agent';
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject, OwnerReference } from '../../object.ts';
import { NOW } from '../../run/testing/make.ts';
import type { Agent } from '../agent.ts';
import {
  after,
  allReady,
  conditionIn,
  CPU,
  deleted,
  isSilent,
  kinds,
  makeService,
  named,
  pass,
  removed,
  SCALED,
  type Seen,
  specOf,
  standing,
} from './testing/service-world.ts';

/** `object` as somebody else's. */
function ownedBy(
  object: KubeObject,
  owner: Partial<OwnerReference> | undefined,
  labels?: object,
): KubeObject {
  const [own] = object.metadata.ownerReferences ?? [];
  const ownerReferences = owner === undefined ? [] : [{ ...own!, ...owner }];
  return {
    ...object,
    metadata: { ...object.metadata, ownerReferences, ...(labels && { labels: { ...labels } }) },
  };
}

test('a new service is made whole, and says so when it stands', (t) => {
  const agent = makeService();
  const first = pass(agent);
  t.deepEqual(kinds(first.create), ['Service', 'Deployment', 'PodDisruptionBudget']);
  t.deepEqual(first.apply, []);
  t.is(conditionIn(first)?.reason, 'Progressing');
  t.true(first.defersStatus, 'what is made is told by the next pass');
  const objects = standing(agent);
  const second = pass(agent, { objects });
  t.true(isSilent(second), 'nothing is written twice');
  t.like(conditionIn(second), { status: 'True', reason: 'Available' });
  t.like(conditionIn(second, 'Available'), { status: 'True', reason: 'Available' });
  t.like(second.status.service, {
    address: 'http://agent.acme-dev.svc:8080',
    desiredReplicas: 1,
    readyReplicas: 1,
    revision: agent.status?.activeRevision?.name,
    rolledOutAt: '2026-11-21T12:00:00Z',
  });
  const third = pass(after(agent, second), { objects }, new Date(NOW.getTime() + 60_000));
  t.deepEqual(third.status, second.status, 'a service that stands has nothing to say');
});

test('what was created needs no apply afterwards, and what somebody changed is put right on the version that was seen', (t) => {
  const agent = makeService({ replicas: { min: 3 } });
  const objects = new Map(standing(agent));
  const deployment = objects.get('Deployment')!;
  objects.set('Deployment', { ...deployment, spec: { ...specOf(deployment), replicas: 5 } });
  const plan = pass(agent, { objects });
  t.deepEqual(kinds(plan.apply), ['Deployment']);
  t.is(specOf(plan.apply[0])['replicas'], 3);
  t.is(plan.apply[0]?.metadata.resourceVersion, '7');
});

interface PodSpec {
  readonly securityContext: { readonly runAsNonRoot: boolean };
  readonly automountServiceAccountToken: boolean;
  readonly nodeSelector: object;
  readonly runtimeClassName?: string;
  readonly containers: readonly [
    {
      readonly securityContext: object;
      readonly imagePullPolicy: string;
      readonly ports: object;
      readonly readinessProbe: object;
      readonly livenessProbe?: object;
      readonly env: readonly { readonly name: string }[];
      readonly lifecycle: object;
    },
  ];
}

const restrictions: Record<string, { readonly of: (pod: PodSpec) => unknown; readonly want: unknown }> = {
  'no root': { of: (pod) => pod.securityContext.runAsNonRoot, want: true },
  'no privileges': {
    of: (pod) => pod.containers[0].securityContext,
    want: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
  },
  'no token': { of: (pod) => pod.automountServiceAccountToken, want: false },
  'images pulled': { of: (pod) => pod.containers[0].imagePullPolicy, want: 'Always' },
  'the nodes of the tenant': { of: (pod) => pod.nodeSelector, want: { [LABELS.dedicated]: 'acme' } },
  'the sandbox of the tenant': { of: (pod) => pod.runtimeClassName, want: 'gvisor' },
  'its port, by name': {
    of: (pod) => pod.containers[0].ports,
    want: [{ name: 'http', containerPort: 9000, protocol: 'TCP' }],
  },
  'asked whether it is ready': {
    of: (pod) => pod.containers[0].readinessProbe,
    want: { httpGet: { path: '/ready', port: 'http' } },
  },
  'asked whether it is well': {
    of: (pod) => pod.containers[0].livenessProbe,
    want: { httpGet: { path: '/live', port: 'http' } },
  },
  'told its port': {
    of: (pod) => pod.containers[0].env.find((one) => one.name === 'PORT'),
    want: { name: 'PORT', value: '9000' },
  },
  'variables of the Agent, the empty ones as the API server keeps them': {
    of: (pod) => pod.containers[0].env.slice(0, 3),
    want: [
      { name: 'A', value: '1' },
      { name: 'EMPTY' },
      { name: 'KEY', valueFrom: { secretKeyRef: { name: 'model', key: 'token' } } },
    ],
  },
  'time to be forgotten by others': {
    of: (pod) => pod.containers[0].lifecycle,
    want: { preStop: { sleep: { seconds: 3 } } },
  },
};

test('pods of a service are bounded like those of Runs, and answer as the Agent says', (t) => {
  const env = [
    { name: 'A', value: '1' },
    { name: 'EMPTY', value: '' },
    { name: 'KEY', valueFrom: { secretKeyRef: { name: 'model', key: 'token' } } },
    { name: 'PORT', value: '1' },
  ];
  const agent = makeService(
    { port: 9000, readinessPath: '/ready', livenessPath: '/live' },
    {
      container: { image: 'registry.example.com/agent:1', env },
      limits: { timeoutSeconds: 3600, terminationGracePeriodSeconds: 3 },
    },
  );
  const tenant = { isolation: { tier: 'Hard', runtimeClassName: 'gvisor' } } as const;
  const deployment = named(pass(agent, { tenant }).create, 'Deployment');
  const template = specOf(deployment)['template'] as { metadata: object; spec: PodSpec };
  for (const [title, { of, want }] of Object.entries(restrictions))
    t.deepEqual(of(template.spec), want, title);
  t.deepEqual(template.metadata, {
    labels: {
      [LABELS.service]: 'agent',
      [LABELS.tenant]: 'acme',
      [LABELS.agent]: 'agent',
      [LABELS.revision]: agent.status?.activeRevision?.name,
    },
  });
  const plain = specOf(named(pass(makeService()).create, 'Deployment'))['template'] as typeof template;
  t.deepEqual(plain.spec.containers[0].readinessProbe, { tcpSocket: { port: 'http' } });
  t.false('livenessProbe' in plain.spec.containers[0]);
});

test('one pod alone can be drained, and nothing but its own name leads to a service', (t) => {
  const made = pass(makeService()).create;
  t.like(specOf(named(made, 'PodDisruptionBudget')), {
    maxUnavailable: '25%',
    unhealthyPodEvictionPolicy: 'AlwaysAllow',
  });
  t.deepEqual(specOf(named(made, 'Service')), {
    type: 'ClusterIP',
    selector: { [LABELS.service]: 'agent' },
    ports: [{ name: 'http', port: 8080, targetPort: 'http', protocol: 'TCP' }],
  });
});

test('an autoscaler is made as the Agent says', (t) => {
  const podMetric = { name: 'queue_length', averageValue: 5 };
  const agent = makeService({ ...SCALED, autoscaling: { ...SCALED.autoscaling, podMetric } }, CPU);
  t.deepEqual(specOf(named(pass(agent).create, 'HorizontalPodAutoscaler')), {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'agent' },
    minReplicas: 2,
    maxReplicas: 9,
    metrics: [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
      },
      {
        type: 'Pods',
        pods: { metric: { name: 'queue_length' }, target: { type: 'AverageValue', averageValue: '5' } },
      },
    ],
  });
});

test('the number of pods is for the autoscaler to say, and stays when something else changes', (t) => {
  const agent = makeService(SCALED, CPU);
  const objects = standing(agent, { desired: 7 });
  t.true(isSilent(pass(agent, { objects })), 'no other number is written');
  const changed = makeService({ ...SCALED, rollout: { maxUnavailable: 0, maxSurge: 1 } }, CPU);
  const plan = pass(changed, { objects });
  t.deepEqual(kinds(plan.apply), ['Deployment']);
  t.is(specOf(plan.apply[0])['replicas'], 7);
  t.is(plan.apply[0]?.metadata.resourceVersion, '7', 'not over what the autoscaler has written since');
});

test('a service that is scaled from now on keeps its pods, and one that is not any more goes to the number that it says', (t) => {
  const fixed = makeService({ replicas: { min: 5 } }, CPU);
  const scaled = makeService(SCALED, CPU);
  const begun = pass(scaled, { objects: standing(fixed) });
  t.deepEqual(kinds(begun.create), ['HorizontalPodAutoscaler']);
  t.is(specOf(named(begun.apply, 'Deployment'))['replicas'], 5);
  const ended = pass(fixed, { objects: standing(scaled, { desired: 8 }) });
  t.deepEqual(removed(ended), ['HorizontalPodAutoscaler']);
  t.is(specOf(named(ended.apply, 'Deployment'))['replicas'], 5);
});

const others: Record<
  string,
  {
    readonly object: (made: KubeObject) => KubeObject;
    readonly reason: string;
    readonly removes?: readonly string[];
  }
> = {
  'what somebody else made': {
    object: (made) => ownedBy(made, undefined, { app: 'mine' }),
    reason: 'NameTaken',
  },
  'what somebody else made and controls': {
    object: (made) => ownedBy(made, { kind: 'Other', uid: 'x' }, {}),
    reason: 'NameTaken',
  },
  'what has our marks and is controlled by something else': {
    object: (made) => ownedBy(made, { kind: 'Other', uid: 'x' }),
    reason: 'NameTaken',
  },
  'what is that of a namesake, which goes': {
    object: (made) => ownedBy(made, { uid: 'former' }),
    reason: 'Replacing',
  },
  'what a namesake left': {
    object: (made) => ownedBy(made, undefined),
    reason: 'Replacing',
    removes: ['Service'],
  },
  'what is ours and is being deleted': {
    object: (made) => ({
      ...made,
      metadata: { ...made.metadata, deletionTimestamp: '2026-11-21T12:00:00Z' },
    }),
    reason: 'Replacing',
  },
};

for (const [title, { object, reason, removes = [] }] of Object.entries(others)) {
  test(`in the place of a Service, ${title} is never taken over`, (t) => {
    const agent = makeService();
    const found = object(standing(agent).get('Service')!);
    const plan = pass(agent, { objects: new Map([['Service', found]]) });
    t.deepEqual([plan.apply, plan.create], [[], []], 'and nothing is made by halves');
    t.deepEqual(removed(plan), removes);
    t.is(conditionIn(plan)?.reason, reason);
    t.regex(conditionIn(plan)?.message ?? '', /Service/);
    t.is(conditionIn(plan, 'Stalled')?.status, reason === 'NameTaken' ? 'True' : undefined);
    if (reason === 'NameTaken') t.is(plan.result.kind, 'requeueAfter', 'nothing tells when the name is free');
  });
}

const gone: Record<
  string,
  {
    readonly agent?: (agent: Agent) => Agent;
    readonly seen?: Seen;
    readonly removes: readonly string[];
    /** Whether it is looked at again though nothing changes. */
    readonly isLookedAt?: true;
  }
> = {
  'an Agent that makes Runs from now on': {
    agent: ({ metadata, status }) => ({ ...makeJob(), metadata, ...(status && { status }) }),
    removes: ['Service', 'Deployment', 'PodDisruptionBudget'],
  },
  'a namespace that left its tenant': {
    seen: { tenant: null, isReleased: true },
    removes: ['Service', 'Deployment', 'PodDisruptionBudget'],
  },
  'a namespace of which no tenant is known': { seen: { tenant: null }, removes: [], isLookedAt: true },
  'an Agent that is being deleted': { agent: deleted, removes: [] },
  'an Agent that is being deleted, of which no tenant is known': {
    agent: deleted,
    seen: { tenant: null },
    removes: [],
    isLookedAt: true,
  },
  'an Agent that is being deleted in a namespace that left its tenant': {
    agent: deleted,
    seen: { tenant: null, isReleased: true },
    removes: ['Service', 'Deployment', 'PodDisruptionBudget'],
  },
  'an Agent that is being deleted in a suspended tenant': {
    agent: deleted,
    seen: { tenant: { suspended: true } },
    removes: ['Deployment'],
  },
  'an Agent that made Runs and is being deleted in a suspended tenant': {
    agent: ({ metadata, status }) => deleted({ ...makeJob(), metadata, ...(status && { status }) }),
    seen: { tenant: { suspended: true } },
    removes: ['Deployment'],
  },
};

function makeJob(): Agent {
  const { spec, ...rest } = makeService();
  const { service: _, ...others } = spec;
  return { ...rest, spec: { ...others, shape: 'job' } satisfies AgentSpec };
}

for (const [title, { agent = (one: Agent) => one, seen = {}, removes, isLookedAt }] of Object.entries(gone)) {
  test(`of ${title}, ${removes.join(', ') || 'nothing'} that stands is removed`, (t) => {
    const made = makeService();
    const plan = pass(agent(made), { objects: standing(made), ...seen });
    t.deepEqual(removed(plan), removes);
    t.deepEqual([plan.apply, plan.create.filter(({ kind }) => kind !== 'AgentRevision')], [[], []]);
    if (removes.length === 0) t.is(plan.result.kind === 'requeueAfter', isLookedAt === true);
  });
}

test('a service that is to have no pods is Ready, and not Available', (t) => {
  const agent = makeService({ replicas: { min: 0 } });
  const plan = pass(agent, { objects: standing(agent, { status: allReady(0) }) });
  t.like(conditionIn(plan), { status: 'True', reason: 'ScaledToZero' });
  t.like(conditionIn(plan, 'Available'), { status: 'False', reason: 'ScaledToZero' });
});

test('by processor time an autoscaler works only on what is requested', (t) => {
  const plan = pass(makeService(SCALED));
  t.deepEqual(plan.create, []);
  t.is(conditionIn(plan)?.reason, 'NothingToScaleBy');
  t.regex(conditionIn(plan)?.message ?? '', /cpuUtilizationPercent.*found is no request of cpu; state/);
  const tenant = { containerDefaults: { defaultRequest: { cpu: '1' } } };
  t.is(pass(makeService(SCALED), { tenant }).create.length, 4);
});
