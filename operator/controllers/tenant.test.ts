// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../core/object.ts';
import { eventually } from '#hack/tools/eventually';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  CONFIG_MAPS,
  LIMIT_RANGES,
  NAMESPACES,
  NETWORK_POLICIES,
  QUOTA_LEDGERS,
  ROLE_BINDINGS,
  RUNS,
  SECRETS,
  SERVICE_ACCOUNTS,
  TENANTS,
} from '../core/resources.ts';
import {
  becomes,
  changeTenant,
  createTenant,
  field,
  isPlanned,
  namesOf,
  namespaceOf,
  PLATFORM,
  plain,
  startTenantRig,
  type TenantRig,
  tenantOf,
  writesAbout,
} from './testing/tenant-rig.ts';

const test = anyTest as TestFn<TenantRig>;

const MADE = [
  CLUSTER_ROLES,
  CLUSTER_ROLE_BINDINGS,
  CONFIG_MAPS,
  LIMIT_RANGES,
  NETWORK_POLICIES,
  QUOTA_LEDGERS,
  ROLE_BINDINGS,
  SERVICE_ACCOUNTS,
];
const READY = { status: 'True', reason: 'Provisioned' } as const;

test.before(async (t) => {
  t.context = await startTenantRig();
});
test.after.always((t) => t.context.close());

function confirm(name: string) {
  return { metadata: { annotations: { [ANNOTATIONS.confirmDeletion]: name } } };
}

async function isGone(rig: TenantRig, name: string): Promise<boolean> {
  return (await rig.client.get(NAMESPACES, { name })) === undefined;
}

function inside(namespace: string): readonly string[] {
  return [
    `ConfigMap/${namespace}/nexusos-guardrails`,
    `LimitRange/${namespace}/nexusos`,
    `NetworkPolicy/${namespace}/nexusos`,
    `RoleBinding/${namespace}/nexusos-admin`,
    `RoleBinding/${namespace}/nexusos-operator`,
    `RoleBinding/${namespace}/nexusos-viewer`,
    `ServiceAccount/${namespace}/nexusos-run`,
  ];
}

function source(password: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'hub', namespace: PLATFORM, labels: { [LABELS.shareable]: 'true' } },
    type: 'kubernetes.io/dockerconfigjson',
    data: {
      '.dockerconfigjson': Buffer.from(JSON.stringify({ auths: { hub: { password } } })).toString('base64'),
    },
  };
}

test('a tenant gets all of it, with two writes of its status, and then silence', async (t) => {
  const rig = t.context;
  await createTenant(rig, 'full', {
    namespaces: [{ suffix: 'dev' }, { suffix: 'prod' }],
    owners: [
      { kind: 'User', name: 'ann', role: 'admin' },
      { kind: 'Group', name: 'full-ops', role: 'operator' },
      { kind: 'ServiceAccount', name: 'ci', namespace: 'full-dev', role: 'viewer' },
    ],
    containerDefaults: { defaultRequest: { cpu: '100m' }, default: { memory: '1024Mi' } },
    network: { egress: [{ cidr: '10.0.0.0/8' }], peers: ['nobody'] },
  });
  const tenant = await becomes(rig, 'full', READY);
  t.is(tenant.status?.state, 'Active');
  t.deepEqual(
    tenant.status?.namespaces?.map(({ name, state }) => `${name} ${state}`),
    ['full-dev Active', 'full-prod Active'],
  );
  const wanted = [
    'ClusterRole//nexusos:tenant:full',
    'ClusterRoleBinding//nexusos:tenant:full',
    'QuotaLedger//full',
    ...inside('full-dev'),
    ...inside('full-prod'),
  ];
  t.deepEqual(await namesOf(rig, MADE, 'full'), wanted.toSorted());
  const before = await writesAbout(rig, 'full');
  const statusWrites = before.filter((one) => one.endsWith('/tenants/full/status'));
  t.is(statusWrites.length, 2, before.join('\n'));

  await isPlanned(rig, await changeTenant(rig, 'full', { metadata: { annotations: { poked: 'yes' } } }));
  const poke = await writesAbout(rig, 'full');
  t.deepEqual(poke.slice(before.length), ['patch /apis/nexusos.dev/v1alpha1/tenants/full']);
});

test('what somebody changes by hand is put right', async (t) => {
  const rig = t.context;
  const { client } = rig;
  await createTenant(rig, 'drift', {
    namespaces: [{ suffix: 'x' }],
    owners: [{ kind: 'User', name: 'ann', role: 'admin' }],
  });
  await becomes(rig, 'drift', READY);
  const namespace = 'drift-x';
  const policy = { namespace, name: 'nexusos' };
  await client.delete(NETWORK_POLICIES, policy);
  await client.patch(ROLE_BINDINGS, { namespace, name: 'nexusos-admin' }, { body: { subjects: [] } });
  await client.patch(
    CONFIG_MAPS,
    { namespace, name: 'nexusos-guardrails' },
    { body: { data: { tenant: 'evil' } } },
  );
  const labels = {
    'pod-security.kubernetes.io/enforce': 'privileged',
    [LABELS.tenant]: null,
    [LABELS.suspended]: 'true',
  };
  await client.patch(NAMESPACES, { name: namespace }, { body: { metadata: { labels } } });
  await eventually('all of it is as before', async () => {
    const subjects = await field<unknown[]>(
      rig,
      [ROLE_BINDINGS, { namespace, name: 'nexusos-admin' }],
      'subjects',
    );
    const parameters = [CONFIG_MAPS, { namespace, name: 'nexusos-guardrails' }] as const;
    const data = await field<{ tenant: string }>(rig, parameters, 'data');
    const { labels: live } = await namespaceOf(rig, namespace);
    return (
      (await client.get(NETWORK_POLICIES, policy)) !== undefined &&
      subjects?.length === 1 &&
      data?.tenant === 'drift' &&
      live['pod-security.kubernetes.io/enforce'] === 'restricted' &&
      live[LABELS.tenant] === 'drift' &&
      live[LABELS.suspended] !== 'true'
    );
  });
  await becomes(rig, 'drift', READY);
  t.pass();
});

test('an object that is no longer wanted goes, and a binding to another role is made anew', async (t) => {
  const rig = t.context;
  const { client } = rig;
  const namespace = 'prune-x';
  await createTenant(rig, 'prune', {
    namespaces: [{ suffix: 'x' }],
    owners: [
      { kind: 'User', name: 'ann', role: 'admin' },
      { kind: 'User', name: 'bob', role: 'viewer' },
    ],
    containerDefaults: { default: { cpu: '1' } },
  });
  await becomes(rig, 'prune', READY);
  await changeTenant(rig, 'prune', {
    spec: { owners: [{ kind: 'User', name: 'ann', role: 'admin' }], containerDefaults: null },
  });
  await becomes(rig, 'prune', READY);
  await eventually('the binding and the limits are gone', async () => {
    const binding = await client.get(ROLE_BINDINGS, { namespace, name: 'nexusos-viewer' });
    return (
      binding === undefined && (await client.get(LIMIT_RANGES, { namespace, name: 'nexusos' })) === undefined
    );
  });
  const admin = await client.get(ROLE_BINDINGS, { namespace, name: 'nexusos-admin' });
  t.truthy(admin);
  await client.delete(ROLE_BINDINGS, { namespace, name: 'nexusos-admin' });
  await eventually(
    'it is there again',
    async () => (await client.get(ROLE_BINDINGS, { namespace, name: 'nexusos-admin' })) !== undefined,
  );
});

test('of two tenants that want one namespace the first has it, and the other touches nothing', async (t) => {
  const rig = t.context;
  await createTenant(rig, 'clash', { namespaces: [{ suffix: 'b-c' }] });
  const first = await becomes(rig, 'clash', READY);
  await createTenant(rig, 'clash-b', { namespaces: [{ suffix: 'c' }, { suffix: 'd' }] });
  const second = await becomes(rig, 'clash-b', { status: 'False', reason: 'NamespaceConflict' });
  const conflict = second.status?.namespaces?.find(({ name }) => name === 'clash-b-c');
  t.is(conflict?.state, 'Conflict');
  t.regex(conflict?.message ?? '', /belongs to tenant clash \(UID /);
  const live = await rig.client.get(NAMESPACES, { name: 'clash-b-c' });
  t.is(live?.metadata.annotations?.[ANNOTATIONS.tenantUid], first.metadata.uid);
  t.false((await namesOf(rig, MADE, 'clash-b')).some((one) => one.includes('/clash-b-c/')));
  t.true(
    (await namesOf(rig, MADE, 'clash-b')).some((one) => one.includes('/clash-b-d/')),
    'the rest is made',
  );

  await changeTenant(rig, 'clash', confirm('clash-b-c'));
  await changeTenant(rig, 'clash', { spec: { namespaces: [] } });
  await becomes(rig, 'clash-b', READY);
  const taken = await rig.client.get(NAMESPACES, { name: 'clash-b-c' });
  t.is(taken?.metadata.labels?.[LABELS.tenant], 'clash-b');
});

test('a namespace that was there is adopted by consent only, and released as it was', async (t) => {
  const rig = t.context;
  const { client } = rig;
  await client.create(NAMESPACES, plain(NAMESPACES, 'legacy'), 'test');
  await createTenant(rig, 'adopter', { adoptNamespaces: [{ name: 'legacy' }, { name: 'kube-system' }] });
  const refused = await becomes(rig, 'adopter', { status: 'False', reason: 'AdoptionRefused' });
  t.regex(JSON.stringify(refused.status?.conditions), /its owner must set it to adopter/);
  t.is((await namespaceOf(rig, 'legacy')).tenant, undefined);

  await changeTenant(rig, 'adopter', { spec: { adoptNamespaces: [{ name: 'legacy' }] } });
  const annotations = { [ANNOTATIONS.adoptInto]: 'adopter' };
  await client.patch(NAMESPACES, { name: 'legacy' }, { body: { metadata: { annotations } } });
  const tenant = await becomes(rig, 'adopter', READY);
  t.true(tenant.status?.namespaces?.[0]?.adopted);
  t.is((await namespaceOf(rig, 'legacy')).tenant, 'adopter');

  await changeTenant(rig, 'adopter', { spec: { adoptNamespaces: [] } });
  await eventually('it is released', async () => {
    const left = (await namesOf(rig, MADE, 'adopter')).filter((one) => one.includes('/legacy/'));
    return (await namespaceOf(rig, 'legacy')).tenant === undefined && left.length === 0;
  });
  const released = await namespaceOf(rig, 'legacy');
  t.deepEqual([released.deletionTimestamp, released.mark], [undefined, undefined]);
  t.is(released.labels['pod-security.kubernetes.io/enforce'], 'restricted', 'no border opens');
  const after = await becomes(rig, 'adopter', READY);
  t.deepEqual(after.status?.namespaces ?? [], []);
});

test('a namespace that is dropped from the spec is kept until that is confirmed', async (t) => {
  const rig = t.context;
  await createTenant(rig, 'shrink', { namespaces: [{ suffix: 'a' }, { suffix: 'b' }] });
  await becomes(rig, 'shrink', READY);
  await changeTenant(rig, 'shrink', { spec: { namespaces: [{ suffix: 'a' }] } });
  const kept = await becomes(rig, 'shrink', { status: 'False', reason: 'DeletionNotConfirmed' });
  t.is(kept.status?.namespaces?.length, 2);
  await changeTenant(rig, 'shrink', confirm('shrink'));
  await becomes(rig, 'shrink', { status: 'False', reason: 'DeletionNotConfirmed' });
  await changeTenant(rig, 'shrink', confirm('shrink-b'));
  const after = await becomes(rig, 'shrink', READY);
  t.deepEqual(
    after.status?.namespaces?.map(({ name }) => name),
    ['shrink-a'],
  );
  t.true(await isGone(rig, 'shrink-b'));
});

test('suspension marks namespaces and ledger, and resuming takes the marks off', async (t) => {
  const rig = t.context;
  await createTenant(rig, 'pause', { namespaces: [{ suffix: 'x' }] });
  await becomes(rig, 'pause', READY);
  await changeTenant(rig, 'pause', { spec: { suspended: true } });
  const suspended = await becomes(rig, 'pause', { status: 'True', reason: 'Suspended' });
  t.is(suspended.status?.state, 'Suspended');
  const marked = async () => [
    (await namespaceOf(rig, 'pause-x')).labels[LABELS.suspended] === 'true',
    (await field<{ suspended: boolean }>(rig, [QUOTA_LEDGERS, { name: 'pause' }], 'spec'))?.suspended,
  ];
  t.deepEqual(await marked(), [true, true]);
  await changeTenant(rig, 'pause', { spec: { suspended: false } });
  const resumed = await becomes(rig, 'pause', READY);
  t.is(resumed.status?.state, 'Active');
  t.deepEqual(await marked(), [false, false]);
});

test('peers can talk only when both name each other', async (t) => {
  const rig = t.context;
  const friends = async (tenant: string) => {
    const policy = await rig.client.get(NETWORK_POLICIES, {
      namespace: `${tenant}-x`,
      name: 'nexusos',
    });
    return JSON.stringify(policy?.['spec']);
  };
  await createTenant(rig, 'left', { namespaces: [{ suffix: 'x' }], network: { peers: ['right'] } });
  await createTenant(rig, 'right', { namespaces: [{ suffix: 'x' }] });
  await becomes(rig, 'left', READY);
  await becomes(rig, 'right', READY);
  t.false((await friends('left')).includes('"right"'));
  await changeTenant(rig, 'right', { spec: { network: { peers: ['left'] } } });
  await eventually(
    'both are open',
    async () => (await friends('left')).includes('"right"') && (await friends('right')).includes('"left"'),
  );
  await changeTenant(rig, 'left', { spec: { network: { peers: [] } } });
  await eventually(
    'both are closed',
    async () => !(await friends('left')).includes('"right"') && !(await friends('right')).includes('"left"'),
  );
  t.pass();
});

test('pull secrets are copied, kept fresh and taken back', async (t) => {
  const rig = t.context;
  const { client } = rig;
  await createTenant(rig, 'puller', { namespaces: [{ suffix: 'x' }], imagePullSecrets: [{ name: 'hub' }] });
  await becomes(rig, 'puller', { status: 'False', reason: 'PullSecretUnavailable' });
  await client.create(SECRETS, source('one'), 'test');
  await becomes(rig, 'puller', READY);
  const key = { namespace: 'puller-x', name: 'nexusos-pull-hub' };
  t.deepEqual((await client.get(SECRETS, key))?.['data'], source('one')['data']);
  const account = await client.get(SERVICE_ACCOUNTS, { namespace: 'puller-x', name: 'nexusos-run' });
  t.deepEqual(account?.['imagePullSecrets'], [{ name: 'nexusos-pull-hub' }]);
  t.is(account?.['automountServiceAccountToken'], false);

  await client.patch(
    SECRETS,
    { namespace: PLATFORM, name: 'hub' },
    { body: { data: source('two')['data'] } },
  );
  await eventually('the copy is fresh', async () => {
    const data = (await client.get(SECRETS, key))?.['data'] as Record<string, string>;
    return (
      data['.dockerconfigjson'] === (source('two')['data'] as Record<string, string>)['.dockerconfigjson']
    );
  });
  await changeTenant(rig, 'puller', { spec: { imagePullSecrets: [] } });
  await eventually('the copy and the permission are gone', async () => {
    const binding = await client.get(ROLE_BINDINGS, { namespace: 'puller-x', name: 'nexusos-pull-secrets' });
    return (await client.get(SECRETS, key)) === undefined && binding === undefined;
  });
  await becomes(rig, 'puller', READY);
});

test('a tenant is deleted by consent, in order, and leaves nothing', async (t) => {
  const rig = t.context;
  const { client } = rig;
  await client.create(
    NAMESPACES,
    plain(NAMESPACES, 'heirloom', { [ANNOTATIONS.adoptInto]: 'ending' }),
    'test',
  );
  await createTenant(rig, 'ending', {
    namespaces: [{ suffix: 'x' }],
    adoptNamespaces: [{ name: 'heirloom' }],
    owners: [{ kind: 'User', name: 'ann', role: 'admin' }],
  });
  await becomes(rig, 'ending', READY);
  const run = {
    ...plain(RUNS, 'r'),
    metadata: { name: 'r', namespace: 'ending-x' },
    spec: { agentRef: { name: 'a' } },
  };
  await client.create(RUNS, run, 'test');

  await client.delete(TENANTS, { name: 'ending' });
  await eventually('it asks for consent', async () => {
    const found = await tenantOf(rig, 'ending');
    return found?.status?.conditions?.some(({ reason }) => reason === 'DeletionNotConfirmed') === true;
  });
  t.truthy(await client.get(RUNS, { namespace: 'ending-x', name: 'r' }));
  await changeTenant(rig, 'ending', confirm('ending'));
  await eventually('it is gone', async () => (await tenantOf(rig, 'ending')) === undefined);
  t.true(await isGone(rig, 'ending-x'));
  const heirloom = await client.get(NAMESPACES, { name: 'heirloom' });
  t.is(heirloom?.metadata.deletionTimestamp, undefined);
  t.is(heirloom?.metadata.labels?.[LABELS.tenant], undefined);
  t.deepEqual(await namesOf(rig, MADE, 'ending'), []);

  const deletions = (await writesAbout(rig, 'ending')).filter((one) => one.startsWith('delete /'));
  const at = (path: string) => deletions.indexOf(`delete ${path}`);
  const order = [
    at('/apis/nexusos.dev/v1alpha1/namespaces/ending-x/runs/r'),
    at('/api/v1/namespaces/ending-x'),
    at('/apis/nexusos.dev/v1alpha1/quotaledgers/ending'),
    at('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/nexusos:tenant:ending'),
  ];
  t.false(order.includes(-1), JSON.stringify(deletions));
  t.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  );
});
