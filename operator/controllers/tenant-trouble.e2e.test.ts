// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { ANNOTATIONS, API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import { eventually } from '#hack/tools/eventually';
import { isDeepEqual } from '../core/compare.ts';
import { findCondition } from '../core/conditions.ts';
import type { Ledger, Tenant } from '../core/tenant/tenant.ts';
import {
  CONFIG_MAPS,
  NAMESPACES,
  NETWORK_POLICIES,
  QUOTA_LEDGERS,
  RESOURCE_QUOTAS,
  ROLE_BINDINGS,
  RUNS,
  SECRETS,
  TENANTS,
} from '../core/resources.ts';
import {
  becomes,
  createRun,
  listAll,
  makeAgent,
  makeTenant,
  attachWorkloadRig,
  type WorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest as TestFn<WorkloadRig>;

test.before(async (t) => {
  t.context = await attachWorkloadRig();
});
test.after.always((t) => t.context.close());

/** What a condition of a Tenant says of its present spec, once it says what is wanted. */
async function says(
  rig: WorkloadRig,
  name: string,
  wanted: { readonly type: string; readonly status: string; readonly reason: string },
): Promise<string> {
  const messages: string[] = [];
  await eventually(`${name} is ${JSON.stringify(wanted)}`, async () => {
    const tenant = (await rig.client.get(TENANTS, { name })) as Tenant;
    const conditions = tenant.status?.conditions ?? [];
    const found = findCondition(conditions, wanted.type);
    const isSo = found?.status === wanted.status && found.reason === wanted.reason;
    if (!isSo || found.observedGeneration !== tenant.metadata.generation)
      throw new Error(JSON.stringify(conditions));
    return messages.push(found.message) > 0;
  });
  return messages[0] ?? '';
}

/** Keys that the API server enforces by the ResourceQuota of a namespace. */
async function enforcedIn(rig: WorkloadRig, namespace: string): Promise<readonly string[]> {
  const quota = await rig.client.get(RESOURCE_QUOTAS, { namespace, name: 'nexusos' });
  return Object.keys((quota?.['status'] as { readonly hard?: object } | undefined)?.hard ?? {});
}

test('quotas and namespaces that are taken out to the last are out of force, and the ledger stays valid', async (t) => {
  const rig = t.context;
  await makeTenant(rig, 'freed', {
    namespaces: [{ suffix: 'a' }, { suffix: 'b' }],
    quotas: { objects: { pods: '3' }, gpus: [{ class: 'h100', count: 1 }], runs: { maxConcurrent: 2 } },
  });
  await rig.client.patch(TENANTS, { name: 'freed' }, { body: { spec: { quotas: null } } });
  await says(rig, 'freed', { type: 'QuotaEnforced', status: 'True', reason: 'Enforced' });
  t.deepEqual(await enforcedIn(rig, 'freed-a'), []);
  t.deepEqual(await enforcedIn(rig, 'freed-b'), []);
  const spec = { namespaces: [], quotas: { objects: { pods: '3' } } };
  const annotations = { 'nexusos.dev/confirm-deletion': 'freed-a,freed-b' };
  await rig.client.patch(TENANTS, { name: 'freed' }, { body: { metadata: { annotations }, spec } });
  await eventually('the ledger has no namespace left', async () => {
    const ledger = await rig.client.get(QUOTA_LEDGERS, { name: 'freed' });
    const { namespaces = [], hard } = (ledger as Ledger).spec;
    if (namespaces.length > 0) throw new Error(JSON.stringify(ledger));
    t.deepEqual(hard, { pods: '3' });
    return true;
  });
  await says(rig, 'freed', { type: 'Ready', status: 'True', reason: 'Provisioned' });
});

test('what somebody adds to a ledger is taken away again, also when its managed fields are lost', async (t) => {
  const rig = t.context;
  await makeTenant(rig, 'padded', { namespaces: [{ suffix: 'a' }], quotas: { objects: { pods: '3' } } });
  const hard = { services: '0', 'count/secrets': '0' };
  const spec = {
    hard,
    maxConcurrentRuns: 0,
    gpus: [{ class: 'h100', count: 100 }],
    namespaces: ['kube-system'],
  };
  const body = { metadata: { managedFields: [{}] }, spec };
  await rig.client.patch(QUOTA_LEDGERS, { name: 'padded' }, { body });
  await eventually('the ledger is as the Tenant says', async () => {
    const ledger = (await rig.client.get(QUOTA_LEDGERS, { name: 'padded' })) as Ledger;
    const { tenantUID: _uid, ...found } = ledger.spec;
    const wanted = { suspended: false, hard: { pods: '3' }, namespaces: ['padded-a'] };
    if (!isDeepEqual(found, wanted)) throw new Error(JSON.stringify(found));
    return true;
  });
  // A grant of before may still be on its way.
  await eventually(
    'nothing but the quota of the Tenant is in force',
    async () => (await enforcedIn(rig, 'padded-a')).join() === 'pods',
  );
  await says(rig, 'padded', { type: 'QuotaEnforced', status: 'True', reason: 'Enforced' });
  t.pass();
});

/** Makes a namespace that consents to be adopted, and a Tenant that does not become Ready at once. */
async function adopt(
  rig: WorkloadRig,
  name: string,
  given: { readonly namespaces: readonly string[]; readonly spec: Partial<TenantSpec> },
): Promise<void> {
  const adoptNamespaces = given.namespaces.map((one) => ({ name: one }));
  const spec = { adoptNamespaces, ...given.spec };
  await rig.client.create(
    TENANTS,
    { apiVersion: API_VERSION, kind: 'Tenant', metadata: { name }, spec },
    'test',
  );
}

async function makeConsenting(rig: WorkloadRig, name: string, tenant: string): Promise<void> {
  const metadata = { name, annotations: { [ANNOTATIONS.adoptInto]: tenant } };
  await rig.client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata }, 'test');
}

test('a ResourceQuota of somebody else with our name holds up its namespace and no other, and is named until it is gone', async (t) => {
  const rig = t.context;
  await makeConsenting(rig, 'heir-old', 'heir');
  const key = { namespace: 'heir-old', name: 'nexusos' };
  const theirs = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: key, spec: { hard: { pods: '100' } } };
  await rig.client.create(RESOURCE_QUOTAS, theirs, 'test');
  await adopt(rig, 'heir', {
    namespaces: ['heir-old'],
    spec: {
      owners: [{ kind: 'User', name: 'ann', role: 'admin' }],
      namespaces: [{ suffix: 'new' }],
      quotas: { objects: { pods: '7' } },
    },
  });
  const message = await says(rig, 'heir', { type: 'Ready', status: 'False', reason: 'NameTaken' });
  t.regex(
    message,
    /ResourceQuota nexusos in namespace heir-old .*kubectl -n heir-old delete resourcequota nexusos/,
  );
  await says(rig, 'heir', { type: 'QuotaEnforced', status: 'False', reason: 'NameTaken' });
  await eventually('the other namespace has all of the quota, and its owner is in', async () => {
    const quota = await rig.client.get(RESOURCE_QUOTAS, { namespace: 'heir-new', name: 'nexusos' });
    const binding = await rig.client.get(ROLE_BINDINGS, { namespace: 'heir-new', name: 'nexusos-admin' });
    const { hard } = (quota?.['status'] ?? {}) as { readonly hard?: { readonly pods?: string } };
    if (hard?.pods !== '7' || binding === undefined) throw new Error(JSON.stringify([hard, binding]));
    return true;
  });
  const spec = (await rig.client.get(RESOURCE_QUOTAS, key))?.['spec'];
  t.deepEqual(spec, { hard: { pods: '100' } }, 'what is not ours stays as it is');
  await rig.client.delete(RESOURCE_QUOTAS, key);
  await says(rig, 'heir', { type: 'Ready', status: 'True', reason: 'Provisioned' });
  t.deepEqual(await enforcedIn(rig, 'heir-old'), ['pods']);
});

test('a ResourceQuota with scopes that passes for ours takes no quota from the other namespaces, and is named', async (t) => {
  const rig = t.context;
  await makeConsenting(rig, 'scoped-old', 'scoped');
  const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.tenant]: 'scoped' };
  const key = { namespace: 'scoped-old', name: 'nexusos' };
  const spec = { hard: { pods: '100' }, scopes: ['Terminating'] };
  const theirs = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { ...key, labels }, spec };
  await rig.client.create(RESOURCE_QUOTAS, theirs, 'test');
  await adopt(rig, 'scoped', {
    namespaces: ['scoped-old'],
    spec: { namespaces: [{ suffix: 'new' }], quotas: { objects: { pods: '7' } } },
  });
  const message = await says(rig, 'scoped', { type: 'Ready', status: 'False', reason: 'NameTaken' });
  t.regex(message, /kubectl -n scoped-old delete resourcequota nexusos/);
  await eventually('the other namespace has all of the quota', async () => {
    const quota = await rig.client.get(RESOURCE_QUOTAS, { namespace: 'scoped-new', name: 'nexusos' });
    const { hard } = (quota?.['status'] ?? {}) as { readonly hard?: { readonly pods?: string } };
    if (hard?.pods !== '7') throw new Error(JSON.stringify(hard));
    return true;
  });
  await rig.client.delete(RESOURCE_QUOTAS, key);
  await says(rig, 'scoped', { type: 'Ready', status: 'True', reason: 'Provisioned' });
});

test('what is counted in a namespace of somebody else is no use of the tenant, whatever its labels say', async (t) => {
  const rig = t.context;
  await makeConsenting(rig, 'bystander', 'nobody');
  const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.tenant]: 'charged' };
  const key = { namespace: 'bystander', name: 'nexusos' };
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { ...key, name: 's' } };
  await rig.client.create(SECRETS, secret, 'test');
  const spec = { hard: { 'count/secrets': '100' } };
  const theirs = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { ...key, labels }, spec };
  await rig.client.create(RESOURCE_QUOTAS, theirs, 'test');
  let looks = 0;
  await eventually('the Secret is counted there', async () => {
    const quota = await rig.client.get(RESOURCE_QUOTAS, key);
    const { used } = (quota?.['status'] ?? {}) as { readonly used?: Record<string, string> };
    if (used?.['count/secrets'] === '1') return true;
    // Counted from a cache that lacks it, it stays uncounted for minutes; a change of the quota has it counted anew.
    looks += 1;
    const body = { spec: { hard: { 'count/secrets': String(100 + looks) } } };
    await rig.client.patch(RESOURCE_QUOTAS, key, { body });
    return false;
  });
  const quotas = { objects: { 'count/secrets': '5' } };
  await adopt(rig, 'charged', { namespaces: [], spec: { namespaces: [{ suffix: 'x' }], quotas } });
  await says(rig, 'charged', { type: 'Ready', status: 'True', reason: 'Provisioned' });
  const tenant = (await rig.client.get(TENANTS, { name: 'charged' })) as Tenant;
  t.deepEqual(tenant.status?.usage, [{ name: 'count/secrets', used: '0', limit: '5' }]);
});

test('parameters of guardrails that cannot be changed keep a namespace from being adopted, and are made anew once it is ours', async (t) => {
  const rig = t.context;
  await makeConsenting(rig, 'fixed-old', 'fixed');
  const key = { namespace: 'fixed-old', name: 'nexusos-guardrails' };
  const { apiVersion, kind } = CONFIG_MAPS;
  const data = { tenant: 'globex', egress: '0.0.0.0/0|' };
  await rig.client.create(CONFIG_MAPS, { apiVersion, kind, metadata: key, immutable: true, data }, 'test');
  await adopt(rig, 'fixed', { namespaces: ['fixed-old'], spec: {} });
  const message = await says(rig, 'fixed', { type: 'Ready', status: 'False', reason: 'AdoptionRefused' });
  t.regex(
    message,
    /its ConfigMap .* is immutable .*kubectl -n fixed-old delete configmap nexusos-guardrails/,
  );
  t.is(
    (await rig.client.get(NAMESPACES, { name: 'fixed-old' }))?.metadata.labels?.[LABELS.tenant],
    undefined,
  );
  t.deepEqual((await rig.client.get(CONFIG_MAPS, key))?.['data'], data, 'what is not ours stays as it is');

  await rig.client.delete(CONFIG_MAPS, key);
  await says(rig, 'fixed', { type: 'Ready', status: 'True', reason: 'Provisioned' });
  await rig.client.patch(CONFIG_MAPS, key, { body: { immutable: true, data: { egress: '0.0.0.0/0|' } } });
  await eventually('they say again what the Tenant says', async () => {
    const live = await rig.client.get(CONFIG_MAPS, key);
    if (live?.['immutable'] === true) throw new Error(JSON.stringify(live));
    return (live?.['data'] as { readonly egress?: string } | undefined)?.egress === '';
  });
});

test('a write that the API server refuses is told by object and reason, holds up its namespace only, and is tried again', async (t) => {
  const rig = t.context;
  await makeConsenting(rig, 'held-old', 'held');
  const metadata = { namespace: 'held-old', name: 'nexusos-admin' };
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
  const { apiVersion, kind } = ROLE_BINDINGS;
  await rig.client.create(ROLE_BINDINGS, { apiVersion, kind, metadata, roleRef }, 'test');
  await adopt(rig, 'held', {
    namespaces: ['held-old'],
    spec: { owners: [{ kind: 'User', name: 'ann', role: 'admin' }], namespaces: [{ suffix: 'new' }] },
  });
  const message = await says(rig, 'held', { type: 'Ready', status: 'False', reason: 'WriteRefused' });
  t.regex(message, /RoleBinding held-old\/nexusos-admin: .*cannot change roleRef/);
  await eventually('the owner is in where nothing is in the way', async () => {
    const key = { namespace: 'held-new', name: 'nexusos-admin' };
    return (await rig.client.get(ROLE_BINDINGS, key)) !== undefined;
  });
  await rig.client.delete(ROLE_BINDINGS, metadata);
  await says(rig, 'held', { type: 'Ready', status: 'True', reason: 'Provisioned' });
});

test('a quota of objects that NexusOS itself would run into leaves the border whole, and is told', async (t) => {
  const rig = t.context;
  const key = 'count/networkpolicies.networking.k8s.io';
  await makeTenant(rig, 'tight', {
    namespaces: [{ suffix: 'a' }, { suffix: 'b' }],
    quotas: { objects: { [key]: '0' } },
  });
  const message = await says(rig, 'tight', {
    type: 'QuotaEnforced',
    status: 'False',
    reason: 'QuotaTooSmall',
  });
  t.regex(message, /spec\.quotas\.objects\[count\/networkpolicies\.networking\.k8s\.io\] is 0, made are 2/);
  const border = { namespace: 'tight-a', name: 'nexusos' };
  const uid = (await rig.client.get(NETWORK_POLICIES, border))?.metadata.uid;
  await rig.client.delete(NETWORK_POLICIES, border);
  await eventually('the border is closed again', async () => {
    const now = (await rig.client.get(NETWORK_POLICIES, border))?.metadata.uid;
    return now !== undefined && now !== uid;
  });
});

test('a ledger that was deleted while Runs run comes back with their places, and admits nobody beyond them', async (t) => {
  const rig = t.context;
  await makeTenant(rig, 'lost', {
    namespaces: [{ suffix: 'a' }],
    quotas: { objects: { pods: '9' }, runs: { maxConcurrent: 2 } },
  });
  const namespace = 'lost-a';
  await makeAgent(rig, { namespace, name: 'agent' });
  const annotations = { 'kwok.nexusos.dev/duration': '600s' };
  for (const name of ['one', 'two']) await createRun(rig, { namespace, name }, { annotations });
  for (const name of ['one', 'two']) await becomes(rig, { namespace, name }, { phase: 'Running' });
  for (const name of ['three', 'four']) await createRun(rig, { namespace, name }, { annotations });
  const uid = (await rig.client.get(QUOTA_LEDGERS, { name: 'lost' }))?.metadata.uid;
  await rig.client.delete(QUOTA_LEDGERS, { name: 'lost' });
  await eventually('a new ledger holds what runs', async () => {
    const ledger = (await rig.client.get(QUOTA_LEDGERS, { name: 'lost' })) as Ledger | undefined;
    const held = ledger?.status?.reservations?.map(({ name }) => name).toSorted();
    if (ledger?.metadata.uid === uid || held?.join() !== 'one,two') throw new Error(JSON.stringify(ledger));
    return true;
  });
  await says(rig, 'lost', { type: 'Ready', status: 'True', reason: 'Provisioned' });
  for (const name of ['three', 'four']) {
    await becomes(rig, { namespace, name }, { phase: 'Queued', reason: 'ConcurrencyExceeded' });
  }
  const phases = (await listAll(rig, RUNS, { namespace })).map(
    ({ status }) => (status as { phase: string }).phase,
  );
  t.deepEqual(phases.toSorted(), ['Queued', 'Queued', 'Running', 'Running']);
});

const REFUSED: Readonly<Record<string, { readonly spec: object; readonly words: RegExp }>> = {
  'a part of a pod': {
    spec: { quotas: { objects: { pods: '1.5' } } },
    words: /spec\.quotas\.objects\.pods in body should match/,
  },
  'a part of a claim': {
    spec: { quotas: { compute: { 'requests.cpu': '1.5', persistentvolumeclaims: '500m' } } },
    words: /persistentvolumeclaims must be a whole number/,
  },
  'more quotas in more namespaces than a ledger holds': {
    spec: {
      namespaces: Array.from({ length: 64 }, (_, i) => ({ suffix: `n${i}` })),
      adoptNamespaces: Array.from({ length: 64 }, (_, i) => ({ name: `a${i}` })),
      quotas: {
        objects: Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`count/k${i}`, '1'])),
        compute: { cpu: '1' },
      },
    },
    words: /the number of namespaces times that of quotas .* at most 4096/,
  },
};

for (const [title, { spec, words }] of Object.entries(REFUSED)) {
  test(`a Tenant that asks for ${title} is refused in words`, async (t) => {
    const tenant = { apiVersion: API_VERSION, kind: 'Tenant', metadata: { name: 'refused' }, spec };
    const error = await t.throwsAsync(t.context.client.create(TENANTS, tenant, 'test'));
    t.regex(error?.message ?? '', words);
  });
}
