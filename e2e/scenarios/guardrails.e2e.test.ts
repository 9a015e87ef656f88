// SPDX-License-Identifier: Apache-2.0
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { type ApiAnswer, type ApiUser, apiUser } from '../api-user.ts';
import { ACCESS_PAIRS, NETWORK_PAIRS } from '../guardrail-cases.ts';
import { configMap, deployment, egressTo, type Fields, pod, roleBinding } from '../guardrail-objects.ts';
import { GUARDED_SPEC, type Pair } from '../guardrail-pair.ts';
import { RUN_PAIRS } from '../guardrail-run-cases.ts';
import { WORKLOAD_PAIRS } from '../guardrail-workload-cases.ts';
import { tenantManifest, User } from '../user.ts';

interface World {
  /** The administrator of tenant `guard`, of `fort` (tier Hard) and of `dormant` (suspended). */
  readonly owner: ApiUser;
  /** Somebody who may write namespaces, Tenants and ledgers by RBAC, but does not run the platform. */
  readonly editor: ApiUser;
  readonly admin: User;
}

const test = anyTest as TestFn<World>;
const OWNERS = [{ kind: 'User', name: 'guard-admin', role: 'admin' }];
const EDITOR = 'guard-editor';

test.before(async (t) => {
  const cluster = await attachSystem();
  const admin = new User(cluster);
  await admin.applies(
    { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'sandbox' }, handler: 'sandbox' },
    priorityClass('batch', 1),
    priorityClass('urgent', 1_000_000),
    ...editorRole(),
    tenantManifest('guard', { owners: OWNERS, ...GUARDED_SPEC }),
    tenantManifest('stranger'),
    tenantManifest('dormant', { owners: OWNERS, suspended: true }),
    tenantManifest('fort', { owners: OWNERS, isolation: { tier: 'Hard', runtimeClassName: 'sandbox' } }),
  );
  const tenants = ['guard', 'stranger', 'dormant', 'fort'].map((name) => `tenant/${name}`);
  await admin.does(['wait', ...tenants, '--for=condition=Ready', '--timeout=120s']);
  await admin.does(['create', 'role', 'reader', '-n', 'guard-main', '--verb=get', '--resource=configmaps']);
  const owner = await apiUser(cluster, { user: 'guard-admin' });
  const editor = await apiUser(cluster, { user: EDITOR });
  t.context = { admin, owner, editor };
  // A role that has just been bound is known to the API server a moment later.
  for (const name of ['guard-main', 'dormant-main', 'fort-main']) {
    await eventually(`the owner gets into ${name}`, async () => {
      return (await tries(owner, configMap(), name)).status === 201;
    });
  }
});
test.after.always(async (t) => {
  await t.context.owner?.close();
  await t.context.editor?.close();
});

function priorityClass(name: string, value: number): object {
  return { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value };
}

function editorRole(): readonly object[] {
  const apiGroup = 'rbac.authorization.k8s.io';
  const verbs = ['create', 'delete', 'patch', 'update'];
  const rules = [
    { apiGroups: [''], resources: ['namespaces', 'namespaces/finalize', 'namespaces/status'], verbs },
    {
      apiGroups: ['nexusos.dev'],
      resources: ['gpuclasses', 'tenants', 'quotaledgers', 'usagerecords', 'tenants/status'],
      verbs,
    },
  ];
  return [
    { apiVersion: `${apiGroup}/v1`, kind: 'ClusterRole', metadata: { name: EDITOR }, rules },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: EDITOR },
      roleRef: { apiGroup, kind: 'ClusterRole', name: EDITOR },
      subjects: [{ apiGroup, kind: 'User', name: EDITOR }],
    },
  ];
}

const IRREGULAR: Readonly<Record<string, string>> = { NetworkPolicy: 'networkpolicies' };

function collection(manifest: Fields, namespace: string): string {
  const version = String(manifest['apiVersion']);
  const kind = String(manifest['kind']);
  const root = version.includes('/') ? `/apis/${version}` : `/api/${version}`;
  return `${root}/namespaces/${namespace}/${IRREGULAR[kind] ?? `${kind.toLowerCase()}s`}`;
}

function tries(user: ApiUser, manifest: Fields, namespace = 'guard-main'): Promise<ApiAnswer> {
  return user.send('POST', `${collection(manifest, namespace)}?dryRun=All`, manifest);
}

/** A refusal says which field, what was found, what would pass and whom to ask. */
function refused(
  t: ExecutionContext<World>,
  answer: ApiAnswer,
  { field, found }: Pick<Pair, 'field' | 'found'>,
): void {
  t.is(answer.status, 403, answer.message);
  if (field === '') return;
  const [, told = ''] = answer.message.split('denied request: ');
  t.regex(told, /^policy_blocked: .+: found .+; allowed: .+; ask .+$/s, answer.message);
  t.true(told.slice(0, told.indexOf(': found')).includes(field), told);
  if (found !== undefined) t.true(told.includes(`: found ${found}; allowed: `), told);
}

const PAIRS: Readonly<Record<string, Pair>> = {
  ...WORKLOAD_PAIRS,
  ...NETWORK_PAIRS,
  ...ACCESS_PAIRS,
  ...RUN_PAIRS,
};

for (const [title, { bad, good, ...told }] of Object.entries(PAIRS)) {
  test(`refused, and its good twin not: ${title}`, async (t) => {
    const { owner } = t.context;
    const refusal = await tries(owner, bad);
    if (title === 'a source of data in another namespace') {
      // Without the feature for it, the API server drops the field before anybody can judge it.
      t.true(refusal.status === 403 || !JSON.stringify(refusal.body).includes('stranger'), refusal.message);
    } else {
      refused(t, refusal, told);
    }
    const accepted = await tries(owner, good);
    t.is(accepted.status, 201, accepted.message);
  });
}

test('a refusal names the contact of the tenant', async (t) => {
  const { message } = await tries(t.context.owner, deployment({ hostNetwork: true }));
  t.regex(message, /ask ops@guard\.example$/);
});

test('tier Hard: only on its own nodes, in the sandbox', async (t) => {
  const { owner } = t.context;
  const own = { 'nexusos.dev/dedicated': 'fort' };
  const sandbox = { runtimeClassName: 'sandbox' };
  const good = {
    nodeSelector: own,
    tolerations: [{ key: 'nexusos.dev/dedicated', value: 'fort' }],
    ...sandbox,
  };
  t.is((await tries(owner, deployment(good), 'fort-main')).status, 201);
  const bad: Readonly<Record<string, Fields>> = {
    nodeSelector: sandbox,
    runtimeClassName: { nodeSelector: own },
    tolerations: { ...good, tolerations: [{ key: 'nexusos.dev/dedicated', value: 'guard' }] },
  };
  for (const [field, fields] of Object.entries(bad)) {
    refused(t, await tries(owner, deployment(fields), 'fort-main'), { field });
  }
  const stolen = { ...good, nodeSelector: { 'nexusos.dev/dedicated': 'guard' } };
  refused(t, await tries(owner, deployment(stolen), 'fort-main'), { field: 'nodeSelector' });
});

test('a suspended tenant: nothing new starts, everything else goes on', async (t) => {
  const { owner } = t.context;
  refused(t, await tries(owner, deployment(), 'dormant-main'), { field: 'metadata.namespace' });
  refused(t, await tries(owner, pod(), 'dormant-main'), { field: 'metadata.namespace' });
  t.is((await tries(owner, configMap(), 'dormant-main')).status, 201);
});

test('what NexusOS made in a namespace cannot be changed or deleted by its tenant', async (t) => {
  const { owner } = t.context;
  const paths = [
    '/api/v1/namespaces/guard-main/configmaps/nexusos-guardrails',
    '/api/v1/namespaces/guard-main/serviceaccounts/nexusos-run',
    '/apis/networking.k8s.io/v1/namespaces/guard-main/networkpolicies/nexusos',
    '/apis/rbac.authorization.k8s.io/v1/namespaces/guard-main/rolebindings/nexusos-admin',
  ];
  for (const path of paths) {
    refused(t, await owner.send('DELETE', `${path}?dryRun=All`), { field: 'managed-by' });
    const labels = { 'app.kubernetes.io/managed-by': null };
    refused(t, await owner.send('PATCH', `${path}?dryRun=All`, { metadata: { labels } }), {
      field: 'managed-by',
    });
  }
  await owner.send('POST', '/api/v1/namespaces/guard-main/configmaps', configMap({ name: 'own' }));
  t.is((await owner.send('DELETE', '/api/v1/namespaces/guard-main/configmaps/own?dryRun=All')).status, 200);
});

test('a RoleBinding that had a name of ours before adoption lets nobody else in', async (t) => {
  const { admin, owner } = t.context;
  const path = '/apis/rbac.authorization.k8s.io/v1/namespaces/guard-main/rolebindings';
  const role = { kind: 'ClusterRole', name: 'nexusos:tenant-viewer' };
  const before = roleBinding({ kind: 'User', name: 'bob' }, role);
  await admin.applies({ ...before, metadata: { name: 'nexusos-viewer', namespace: 'guard-main' } });
  const change = (body: object) => owner.send('PATCH', `${path}/nexusos-viewer?dryRun=All`, body);
  const everybody = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:authenticated' };
  refused(t, await change({ subjects: [everybody] }), { field: 'subjects' });
  t.is((await change({ metadata: { annotations: { note: 'old' } } })).status, 200);
  t.is((await owner.send('DELETE', `${path}/nexusos-viewer`)).status, 200);
});

test('nobody takes a token of the identity of Runs', async (t) => {
  const { owner } = t.context;
  const token = (account: string) =>
    owner.send('POST', `/api/v1/namespaces/guard-main/serviceaccounts/${account}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {},
    });
  refused(t, await token('nexusos-run'), { field: 'metadata.name' });
  t.is((await token('default')).status, 201);
});

test('a namespace of a tenant keeps its marks, whoever may write namespaces', async (t) => {
  const { editor } = t.context;
  const path = '/api/v1/namespaces/guard-main';
  const patches: readonly (readonly [string, Fields])[] = [
    ['metadata.labels', { labels: { 'nexusos.dev/tenant': 'stranger' } }],
    ['metadata.labels', { labels: { 'nexusos.dev/tenant': null } }],
    ['metadata.labels', { labels: { 'nexusos.dev/suspended': 'true' } }],
    ['metadata.labels', { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } }],
    ['tenant-uid', { annotations: { 'nexusos.dev/tenant-uid': 'mine' } }],
    ['priority-classes', { annotations: { 'nexusos.dev/priority-classes': 'urgent' } }],
    ['ownerReferences', { ownerReferences: [{ apiVersion: 'v1', kind: 'Namespace', name: 'x', uid: 'y' }] }],
    ['finalizers', { finalizers: ['example.com/mine'] }],
  ];
  for (const [field, metadata] of patches) {
    refused(t, await editor.send('PATCH', `${path}?dryRun=All`, { metadata }), { field });
  }
  const hijack = { metadata: { annotations: { 'example.com/x': 'y' } } };
  refused(t, await editor.send('PATCH', `${path}/status?dryRun=All`, hijack), { field: 'subresource' });
  refused(t, await editor.send('DELETE', `${path}?dryRun=All`), { field: 'annotations' });
  t.is((await editor.send('PATCH', `${path}?dryRun=All`, hijack)).status, 200, 'a mark of their own is fine');
});

function namespace(metadata: Fields): Fields {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'guard-fake', ...metadata } };
}

test('nobody makes a namespace that looks like one of a tenant', async (t) => {
  const { editor } = t.context;
  const make = (metadata: Fields) =>
    editor.send('POST', '/api/v1/namespaces?dryRun=All', namespace(metadata));
  refused(t, await make({ labels: { 'nexusos.dev/tenant': 'guard' } }), { field: 'metadata.labels' });
  refused(t, await make({ annotations: { 'nexusos.dev/tenant-uid': 'x' } }), { field: 'tenant-uid' });
  t.is((await make({ annotations: { 'nexusos.dev/adopt-into': 'guard' } })).status, 201);
});

test('deleting a Tenant needs its name as consent, also of the administrator', async (t) => {
  const { editor, admin } = t.context;
  const path = '/apis/nexusos.dev/v1alpha1/tenants/guard';
  refused(t, await editor.send('DELETE', `${path}?dryRun=All`), { field: 'metadata.annotations' });
  const said = await admin.tries(['delete', 'tenant/guard', '--dry-run=server']);
  t.false(said.ok);
  t.regex(said.text, /kubectl annotate tenant guard nexusos\.dev\/confirm-deletion=guard/);
  await admin.does(['annotate', 'tenant/stranger', 'nexusos.dev/confirm-deletion=stranger', '--overwrite']);
  const other = '/apis/nexusos.dev/v1alpha1/tenants/stranger';
  t.is((await editor.send('DELETE', `${other}?dryRun=All`)).status, 200);
});

test('ledgers and what NexusOS says in status are written by nobody else', async (t) => {
  const { editor } = t.context;
  const root = '/apis/nexusos.dev/v1alpha1';
  const more = { spec: { maxConcurrentRuns: 1000 } };
  refused(t, await editor.send('PATCH', `${root}/quotaledgers/guard?dryRun=All`, more), { field: 'request' });
  refused(t, await editor.send('DELETE', `${root}/quotaledgers/guard?dryRun=All`), { field: 'request' });
  const windows: readonly object[] = [];
  const usage = { tenantUID: 'x', ledgerUID: 'x', merged: 9, windows };
  const record = {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'UsageRecord',
    metadata: { name: 'guard' },
    spec: usage,
  };
  refused(t, await editor.send('POST', `${root}/usagerecords?dryRun=All`, record), { field: 'request' });
  const status = { status: { state: 'Active' } };
  refused(t, await editor.send('PATCH', `${root}/tenants/guard/status?dryRun=All`, status), {
    field: 'request',
  });
  t.is(
    (await editor.send('PATCH', `${root}/tenants/guard?dryRun=All`, { spec: { plan: 'gold' } })).status,
    200,
  );
});

test('the advice of a refusal is not refused by the next rule', async (t) => {
  const { owner } = t.context;
  const answer = await tries(owner, egressTo('0.0.0.0/0'), 'fort-main');
  refused(t, answer, { field: 'spec.egress[*].to[*].ipBlock', found: '0.0.0.0/0' });
  t.regex(answer.message, /allowed: none: spec\.network\.egress of the Tenant is empty; ask/);
  const listed = await tries(owner, egressTo('0.0.0.0/0'));
  t.regex(listed.message, /lists: 203\.0\.113\.0\/24, 198\.51\.100\.0\/24 \(TCP 443\), 100\.0\.0\.0\/8; ask/);
});

test('a namespace keeps the mark of its tenant, also from the administrator', async (t) => {
  const unmarked = JSON.stringify({ metadata: { annotations: { 'nexusos.dev/tenant-uid': null } } });
  const patch = ['patch', 'namespace/guard-main', '--type=merge', `--patch=${unmarked}`, '--dry-run=server'];
  for (const how of [[], ['--subresource=status']]) {
    const said = await t.context.admin.tries([...patch, ...how]);
    t.false(said.ok, how.join());
    t.regex(
      said.text,
      /tenant-uid"\]: found none; allowed: no change: this says whose the namespace is; it is /,
    );
  }
});

test('a GPUClass tolerates only what pods of tenants may not', async (t) => {
  const { editor } = t.context;
  const make = (key: string) =>
    editor.send('POST', '/apis/nexusos.dev/v1alpha1/gpuclasses?dryRun=All', {
      apiVersion: 'nexusos.dev/v1alpha1',
      kind: 'GPUClass',
      metadata: { name: 'guarded' },
      spec: { resourceName: 'example.com/gpu', tolerations: [{ key, operator: 'Exists' }] },
    });
  refused(t, await make('example.com/gpu'), { field: 'spec.tolerations', found: 'example.com/gpu' });
  t.is((await make('nvidia.com/gpu')).status, 201);
});
