// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { AgentSpec } from '#crds/v1alpha1/agent';
import type { RunSpec } from '#crds/v1alpha1/run';
import type { KubeObject } from '../object.ts';
import { desiredWorkload, type WorkloadInput } from './pod.ts';
import { makeAgent, makeClass, makeRun, makeTenant } from './testing/make.ts';

interface PodSpec {
  readonly nodeSelector: Record<string, string>;
  readonly tolerations: readonly object[];
  readonly runtimeClassName?: string;
  readonly containers: readonly {
    readonly resources: object;
    readonly env: readonly { name: string; value: string }[];
  }[];
  readonly [field: string]: unknown;
}

function workloadOf(input: Partial<WorkloadInput>): readonly KubeObject[] {
  return desiredWorkload({ run: makeRun(), agent: makeAgent(), tenant: makeTenant(), attempt: 1, ...input });
}

function podOf(input: Partial<WorkloadInput>): PodSpec {
  return workloadOf(input).at(-1)!['spec'] as PodSpec;
}

test('every pod is within the restricted Pod Security Standard, and has no token', (t) => {
  const pod = podOf({});
  t.like(pod, {
    restartPolicy: 'Never',
    serviceAccountName: 'nexusos-run',
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  });
  t.like(pod.containers[0], {
    imagePullPolicy: 'Always',
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  });
});

test('a GPU class brings its resource, the labels and the taints of its nodes', (t) => {
  const tolerations = [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }] as const;
  const gpuClass = makeClass('h100', { nodeSelector: { product: 'H100' }, tolerations: [...tolerations] });
  const pod = podOf({ gpu: { class: gpuClass, count: 2 } });
  t.deepEqual(pod.nodeSelector, { product: 'H100' });
  t.deepEqual(pod.tolerations, [...tolerations]);
  t.like(pod.containers[0]?.resources, {
    limits: { 'nvidia.com/gpu': '2' },
    requests: { 'nvidia.com/gpu': '2' },
  });
});

test('parameters that were handed over stay as they are, whatever the Agent says by then', (t) => {
  const before = makeAgent({ parameters: [{ name: 'style', required: false, default: 'short' }] });
  const after = makeAgent({ parameters: [{ name: 'length', required: false, default: '10' }] });
  const [made] = workloadOf({ agent: before });
  const again = workloadOf({ agent: after, made });
  t.deepEqual(again[0], made);
  const names = podOf({ agent: after, made }).containers[0]?.env.map(({ name }) => name) ?? [];
  t.deepEqual(
    names.filter((name) => name.startsWith('NEXUSOS_PARAMETER_')),
    ['NEXUSOS_PARAMETER_style'],
  );
});

test('it prefers the node where its devices were free, and without one it has no affinity', (t) => {
  const gpu = { class: makeClass('h100'), count: 2 };
  const preference = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['h100-1'] }] };
  t.deepEqual(podOf({ gpu: { ...gpu, node: 'h100-1' } })['affinity'], {
    nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference }] },
  });
  t.is(podOf({ gpu })['affinity'], undefined);
});

test('a tenant of tier Hard keeps to its nodes and its sandbox', (t) => {
  const pod = podOf({ tenant: makeTenant({ isolation: { tier: 'Hard', runtimeClassName: 'gvisor' } }) });
  t.is(pod.runtimeClassName, 'gvisor');
  t.deepEqual(pod.nodeSelector, { 'nexusos.dev/dedicated': 'acme' });
  t.deepEqual(pod.tolerations, [{ key: 'nexusos.dev/dedicated', operator: 'Equal', value: 'acme' }]);
});

test('a container has the time to end that its Agent says', (t) => {
  t.is(podOf({}).terminationGracePeriodSeconds, undefined);
  const limits = { timeoutSeconds: 60, terminationGracePeriodSeconds: 5 };
  t.is(podOf({ agent: makeAgent({ limits }) }).terminationGracePeriodSeconds, 5);
  const none = makeAgent({ limits: { ...limits, terminationGracePeriodSeconds: 0 } });
  t.is(podOf({ agent: none }).terminationGracePeriodSeconds, 1, 'with none at all it would pass for lost');
});

test('the shorter timeout counts', (t) => {
  const agent = makeAgent({ limits: { timeoutSeconds: 60 } });
  t.is(podOf({ agent }).activeDeadlineSeconds, 60);
  t.is(podOf({ agent, run: makeRun({ timeoutSeconds: 5 }) }).activeDeadlineSeconds, 5);
  t.is(podOf({ agent, run: makeRun({ timeoutSeconds: 500 }) }).activeDeadlineSeconds, 60);
});

test('an Agent cannot replace the variables that are ours', (t) => {
  const env = [
    { name: 'NEXUSOS_RUN', value: 'forged' },
    { name: 'MINE', value: '1' },
  ];
  const found = podOf({ agent: makeAgent({ container: { image: 'x', env } }) }).containers[0]?.env;
  t.deepEqual(found, [
    { name: 'MINE', value: '1' },
    { name: 'NEXUSOS_RUN', value: 'r' },
    { name: 'NEXUSOS_AGENT', value: 'agent' },
    { name: 'NEXUSOS_ATTEMPT', value: '1' },
    { name: 'NEXUSOS_RESULT_FILE', value: '/dev/termination-log' },
  ]);
});

test('a variable that comes from a Secret or a ConfigMap goes into the pod as the Agent names it', (t) => {
  const env = [
    { name: 'KEY', valueFrom: { secretKeyRef: { name: 'model', key: 'token' } } },
    { name: 'REGION', valueFrom: { configMapKeyRef: { name: 'site', key: 'region', optional: true } } },
    { name: 'NEXUSOS_RUN', valueFrom: { secretKeyRef: { name: 'model', key: 'token' } } },
  ];
  const found = podOf({ agent: makeAgent({ container: { image: 'x', env } }) }).containers[0]?.env;
  t.deepEqual(found?.slice(0, 3), [env[0], env[1], { name: 'NEXUSOS_RUN', value: 'r' }] as never);
});

test('a container is told what it may use: what its revision says, of that what its tenant is entitled to by now', (t) => {
  const entitlements = { tools: ['search', '$(HOME)', 'shell'], modelTiers: ['large'] };
  const agent = makeAgent({ entitlements, dataClassification: 'confidential' });
  const told = (tenant = makeTenant()) =>
    podOf({ agent, tenant }).containers[0]?.env.filter(({ name }) => /TOOLS|MODEL|CLASSIFICATION/.test(name));
  t.deepEqual(told(), [
    { name: 'NEXUSOS_MODEL_TIERS', value: '["large"]' },
    { name: 'NEXUSOS_TOOLS', value: '["search","$$(HOME)","shell"]' },
    { name: 'NEXUSOS_DATA_CLASSIFICATION', value: 'confidential' },
  ]);
  const less = makeTenant({ entitlements: { tools: ['search'], modelTiers: [] } });
  t.deepEqual(told(less)?.slice(0, 2), [
    { name: 'NEXUSOS_MODEL_TIERS', value: '[]' },
    { name: 'NEXUSOS_TOOLS', value: '["search"]' },
  ]);
  const env = [{ name: 'NEXUSOS_TOOLS', value: '["shell"]' }];
  const forged = makeAgent({ container: { image: 'x', env }, entitlements: { tools: [] } });
  t.deepEqual(
    podOf({ agent: forged }).containers[0]?.env.filter(({ name }) => name === 'NEXUSOS_TOOLS'),
    [{ name: 'NEXUSOS_TOOLS', value: '[]' }],
  );
});

/** What a container is told of tools and steps, by variable. */
function boundsTold(run: Partial<RunSpec>, agent: Partial<AgentSpec>, tenant = makeTenant()) {
  const { containers } = podOf({ run: makeRun(run), agent: makeAgent(agent), tenant });
  const bounds = (containers[0]?.env ?? []).filter(({ name }) => /TOOLS|STEPS/.test(name));
  return Object.fromEntries(bounds.map(({ name, value }) => [name, value]));
}

test('a Run can leave its container fewer tools, and fewer steps, and never more', (t) => {
  const entitlements = { tools: ['search', 'shell'], modelTiers: ['large'] };
  const limits = { timeoutSeconds: 60, maxSteps: 20 };
  t.deepEqual(boundsTold({}, {}), {});
  t.deepEqual(boundsTold({ tools: ['search'] }, { entitlements }), { NEXUSOS_TOOLS: '["search"]' });
  t.deepEqual(boundsTold({ tools: [] }, { entitlements }), { NEXUSOS_TOOLS: '[]' });
  t.deepEqual(boundsTold({ tools: ['browser', 'search'] }, { entitlements }), {
    NEXUSOS_TOOLS: '["search"]',
  });
  const tenant = makeTenant({ entitlements: { tools: ['search'] } });
  t.deepEqual(boundsTold({ tools: ['search', 'shell'] }, {}, tenant), { NEXUSOS_TOOLS: '["search"]' });
  t.deepEqual(boundsTold({}, { limits }), { NEXUSOS_MAX_STEPS: '20' });
  t.deepEqual(boundsTold({ maxSteps: 5 }, { limits }), { NEXUSOS_MAX_STEPS: '5' });
  t.deepEqual(boundsTold({ maxSteps: 500 }, { limits }), { NEXUSOS_MAX_STEPS: '20' });
  t.deepEqual(boundsTold({ maxSteps: 7 }, {}), { NEXUSOS_MAX_STEPS: '7' });
});

test('everything of an attempt has one name, and the Run as its controller', (t) => {
  const run = makeRun({ input: { inline: 'hello' } });
  const gpu = { class: makeClass('dra', { deviceClassName: 'gpu.example.com' }), count: 2 };
  const copied = { content: { text: 'hello' }, facts: { digest: '', sizeBytes: 5 } };
  const all = workloadOf({ run, gpu, copied });
  t.deepEqual(
    all.map(({ kind }) => kind),
    ['ConfigMap', 'ResourceClaimTemplate', 'Pod'],
  );
  t.is(new Set(all.map(({ metadata }) => metadata.name)).size, 1);
  for (const { metadata } of all) t.like(metadata.ownerReferences?.[0], { uid: 'run-uid', controller: true });
});

test('its pod bears our finalizer from its creation, and nothing else does', (t) => {
  const all = workloadOf({ run: makeRun({ input: { inline: 'hello' } }) });
  const copied = { content: { text: 'hello' }, facts: { digest: '', sizeBytes: 5 } };
  const bearers = [...all, ...workloadOf({ copied })].filter(
    ({ metadata }) => metadata.finalizers !== undefined,
  );
  t.deepEqual(
    bearers.map(({ kind, metadata }) => [kind, metadata.finalizers]),
    [
      ['Pod', ['nexusos.dev/run']],
      ['Pod', ['nexusos.dev/run']],
    ],
  );
});
