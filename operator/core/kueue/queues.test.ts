// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import type { GPUClass } from '../agent/agent.ts';
import { makeClass, makeTenant } from '../run/testing/make.ts';
import { isDecidedByKueue, queueFor } from './kueue.ts';
import { desiredQueues, flavorToApply, ownFlavors, type QueueInput } from './queues.ts';
import { KUEUE } from './testing/make.ts';

const H100 = makeClass('h100', { nodeSelector: { product: 'H100' } });
const A100 = makeClass('a100', { nodeSelector: { product: 'A100' } });
const MIG = makeClass('mig', { resourceName: 'nvidia.com/mig-1g.10gb' });
const DRA = makeClass('dra', { deviceClassName: 'gpu.example.com' });

interface Group {
  readonly coveredResources: readonly string[];
  readonly flavors: readonly { readonly name: string; readonly resources: readonly object[] }[];
}

function input(classes: readonly GPUClass[], more: Partial<QueueInput> = {}): QueueInput {
  const gpuClasses = new Map(classes.map(({ metadata, spec }) => [metadata.name, spec]));
  return { kueue: KUEUE, namespaces: ['acme-dev'], gpuClasses, ...more };
}

function clusterQueue(spec: Partial<TenantSpec>, given: QueueInput = input([])) {
  const found = desiredQueues(makeTenant(spec), given).find(({ kind }) => kind === 'ClusterQueue');
  return found?.['spec'] as Record<string, unknown> & { readonly resourceGroups: readonly Group[] };
}

function sharesOf(group: Group | undefined): Record<string, unknown> {
  const rows = group?.flavors.flatMap(({ name, resources }) =>
    (resources as { name: string; nominalQuota: string; borrowingLimit: string }[]).map(
      (one) => [`${name} ${one.name}`, `${one.nominalQuota}+${one.borrowingLimit}`] as const,
    ),
  );
  return Object.fromEntries(rows ?? []);
}

test('a tenant has one ClusterQueue, for its own namespaces alone, and a LocalQueue in each', (t) => {
  const made = desiredQueues(makeTenant(), input([], { namespaces: ['acme-prod', 'acme-dev'] }));
  const names = made.map(({ kind, metadata }) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`);
  t.deepEqual(names, [
    'ResourceFlavor//nexusos',
    'ClusterQueue//nexusos-acme',
    'LocalQueue/acme-dev/nexusos',
    'LocalQueue/acme-prod/nexusos',
  ]);
  t.like(clusterQueue({}), {
    cohortName: 'all',
    namespaceSelector: { matchLabels: { 'nexusos.dev/tenant': 'acme' } },
    stopPolicy: 'None',
    fairSharing: { weight: '1' },
  });
});

test('the older version has another name for the cohort', (t) => {
  const spec = clusterQueue({}, input([], { kueue: { ...KUEUE, version: 'v1beta1' } }));
  t.like(spec, { cohort: 'all', cohortName: undefined });
});

const QUOTAS: Readonly<
  Record<
    string,
    { readonly spec: Partial<TenantSpec>; readonly percent?: number; readonly want: Record<string, string> }
  >
> = {
  'what has no quota is covered, and is as good as endless': {
    spec: {},
    want: { 'nexusos cpu': '1M+0', 'nexusos ephemeral-storage': '1Pi+0', 'nexusos memory': '1Pi+0' },
  },
  'the lesser of two quotas of the same counts; limits are not what Kueue counts': {
    spec: { quotas: { compute: { cpu: '10', 'requests.cpu': '8', 'limits.memory': '1Gi', memory: '4Gi' } } },
    want: { 'nexusos cpu': '8+0', 'nexusos ephemeral-storage': '1Pi+0', 'nexusos memory': '4Gi+0' },
  },
  'pods and huge pages, where there is a quota of them': {
    spec: { quotas: { compute: { 'hugepages-2Mi': '64Mi' }, objects: { pods: 20, 'count/pods': 10 } } },
    want: {
      'nexusos cpu': '1M+0',
      'nexusos ephemeral-storage': '1Pi+0',
      'nexusos hugepages-2Mi': '64Mi+0',
      'nexusos memory': '1Pi+0',
      'nexusos pods': '10+0',
    },
  },
  'what is not guaranteed may be borrowed, and both together are the quota': {
    spec: { quotas: { compute: { 'requests.cpu': '5', 'requests.memory': '5' }, objects: { pods: 5 } } },
    percent: 50,
    want: {
      'nexusos cpu': '2500m+2500m',
      'nexusos ephemeral-storage': '1Pi+0',
      'nexusos memory': '2+3',
      'nexusos pods': '2+3',
    },
  },
  'nothing guaranteed': {
    spec: { quotas: { compute: { 'requests.cpu': '5' } } },
    percent: 0,
    want: { 'nexusos cpu': '0+5', 'nexusos ephemeral-storage': '1Pi+0', 'nexusos memory': '1Pi+0' },
  },
};

for (const [name, { spec, percent = 100, want }] of Object.entries(QUOTAS)) {
  test(name, (t) => {
    const kueue = { ...KUEUE, guaranteedPercent: percent };
    const [compute, ...others] = clusterQueue(spec, input([], { kueue })).resourceGroups;
    t.deepEqual(sharesOf(compute), want);
    t.deepEqual(compute?.coveredResources, [
      ...new Set(Object.keys(want).map((key) => key.split(' ')[1] ?? '')),
    ]);
    t.deepEqual(others, []);
  });
}

test('GPUs: a group for each resource, a flavor for each class that has it; classes of others are not of the tenant', (t) => {
  const gpus = [
    { class: 'h100', count: 8 },
    { class: 'a100', count: 3 },
    { class: 'mig', count: 2 },
    { class: 'dra', count: 2 },
    { class: 'gone', count: 1 },
  ];
  const kueue = { ...KUEUE, guaranteedPercent: 50, flavors: new Map([['h100', 'reserved']]) };
  const given = input([H100, A100, MIG, DRA], { kueue });
  const [, cards, slices, ...others] = clusterQueue({ quotas: { gpus } }, given).resourceGroups;
  t.deepEqual(sharesOf(cards), { 'nexusos-a100 nvidia.com/gpu': '1+2', 'reserved nvidia.com/gpu': '4+4' });
  t.deepEqual(sharesOf(slices), { 'nexusos-mig nvidia.com/mig-1g.10gb': '1+1' });
  t.deepEqual(others, []);
  t.deepEqual(ownFlavors(given), ['nexusos', 'nexusos-a100', 'nexusos-mig']);
});

test('suspension stops the queue, and drains it where Runs are to be paused', (t) => {
  t.is(clusterQueue({ suspended: true })['stopPolicy'], 'Hold');
  t.is(clusterQueue({ suspended: true, suspendPolicy: 'Pause' })['stopPolicy'], 'HoldAndDrain');
  t.is(clusterQueue({ suspendPolicy: 'Pause' })['stopPolicy'], 'None');
});

test('the weight is that of the plan', (t) => {
  const planWeights = new Map([['gold', 4]]);
  t.deepEqual(clusterQueue({ plan: 'gold' }, input([], { planWeights }))['fairSharing'], { weight: '4' });
  t.deepEqual(clusterQueue({ plan: 'tin' }, input([], { planWeights }))['fairSharing'], { weight: '1' });
});

test('with a flavor of the platform, none is made for cores', (t) => {
  const kueue = { ...KUEUE, defaultFlavor: 'spot' };
  const made = desiredQueues(makeTenant(), input([], { kueue }));
  t.deepEqual(
    made.map(({ kind }) => kind),
    ['ClusterQueue', 'LocalQueue'],
  );
  const [compute] = clusterQueue({}, input([], { kueue })).resourceGroups;
  t.deepEqual(
    compute?.flavors.map(({ name }) => name),
    ['spot'],
  );
});

test('a class becomes a flavor that has its labels, no more than a flavor can have, and no toleration', (t) => {
  const labels = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`label-${i + 10}`, 'x']));
  const many = makeClass('many', { nodeSelector: labels, tolerations: [{ key: 'gpu' }] });
  const flavor = flavorToApply(many, KUEUE, undefined);
  t.is(flavor?.metadata.name, 'nexusos-many');
  const spec = (flavor?.['spec'] ?? {}) as { readonly nodeLabels?: object };
  t.deepEqual(Object.keys(spec.nodeLabels ?? {}), Object.keys(labels).slice(0, 8));
  t.deepEqual(Object.keys(spec), ['nodeLabels']);
  t.like(flavor?.metadata.ownerReferences?.[0], { kind: 'GPUClass', name: 'many' });
});

test('no flavor is made of a class that others count, or have made one for', (t) => {
  const live = {
    apiVersion: 'kueue.x-k8s.io/v1beta2',
    kind: 'ResourceFlavor',
    metadata: { name: 'nexusos-h100' },
  };
  t.is(flavorToApply(DRA, KUEUE, undefined), undefined);
  t.is(flavorToApply(H100, { ...KUEUE, flavors: new Map([['h100', 'mine']]) }, undefined), undefined);
  t.is(flavorToApply(H100, KUEUE, live), undefined);
  const own = {
    ...live,
    metadata: { ...live.metadata, labels: { 'app.kubernetes.io/managed-by': 'nexusos' } },
  };
  t.not(flavorToApply(H100, KUEUE, own), undefined);
});

test('Kueue decides on what it counts, where it is served', (t) => {
  const served = { isServed: true, ...KUEUE } as const;
  t.true(isDecidedByKueue(served, undefined));
  t.true(isDecidedByKueue(served, H100.spec));
  t.false(isDecidedByKueue(served, DRA.spec));
  t.false(isDecidedByKueue({ isServed: false }, undefined));
  t.false(isDecidedByKueue(undefined, undefined));
});

const PRIORITIES: readonly (readonly [number, string | undefined])[] = [
  [-1000, undefined],
  [-1, undefined],
  [0, 'usual'],
  [99, 'usual'],
  [100, 'urgent'],
  [1000, 'urgent'],
];
for (const [priority, priorityClass] of PRIORITIES) {
  test(`a Run of priority ${priority} is of class ${priorityClass}`, (t) => {
    const priorityClasses = new Map([
      ['usual', 0],
      ['urgent', 100],
    ]);
    const place = queueFor(priority, { ...KUEUE, priorityClasses });
    t.deepEqual(place, { name: 'nexusos', ...(priorityClass !== undefined && { priorityClass }) });
  });
}
