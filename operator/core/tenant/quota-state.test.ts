// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Price } from '#crds/v1alpha1/price';
import { findCondition, setStanding } from '../conditions.ts';
import type { KubeObject } from '../object.ts';
import { planTenant } from './plan.ts';
import { makeNamespace, makeObserved, makeTenant, NOW, PLATFORM } from './testing/objects.ts';
import { FULL, plan, ready, settle, type TenantPlan } from './testing/settle.ts';
import { identity, type Ledger, type TenantObserved } from './tenant.ts';

function bindings(plan: TenantPlan): readonly string[] {
  return plan.apply.filter(({ kind }) => kind === 'RoleBinding').map(identity);
}

/** `observed` with `status` in the ResourceQuota of one namespace. */
function withQuota(observed: TenantObserved, namespace: string, status: object | undefined): TenantObserved {
  const others = observed.resourceQuotas.filter((one) => one.metadata.namespace !== namespace);
  const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'nexusos', namespace }, status };
  return { ...observed, resourceQuotas: status === undefined ? others : [...others, quota] };
}

function letsIn({ kind, metadata }: KubeObject): boolean {
  return kind === 'RoleBinding' && metadata.namespace === 'acme-dev';
}

const HOLDS_BACK: Readonly<Record<string, { readonly status?: object; readonly isIn: boolean }>> = {
  'without a ResourceQuota': { isIn: false },
  'with a bare one': { status: {}, isIn: false },
  'with one key of two': { status: { hard: { 'requests.cpu': '0' } }, isIn: false },
  'with every key, whatever the amounts': {
    status: { hard: { 'requests.cpu': '0', 'requests.memory': '0' } },
    isIn: true,
  },
};

for (const [title, { status, isIn }] of Object.entries(HOLDS_BACK)) {
  test(`${title}, owners are ${isIn ? 'let' : 'not let'} into a new namespace, and never thrown out of an old one`, (t) => {
    const { tenant, observed } = settle(FULL);
    const seen = withQuota(observed, 'acme-dev', status);
    const fresh = plan(tenant, { ...seen, objects: observed.objects.filter((one) => !letsIn(one)) });
    const inProd = ['RoleBinding/acme-prod/nexusos-admin', 'RoleBinding/acme-prod/nexusos-operator'];
    const inDev = ['RoleBinding/acme-dev/nexusos-admin', 'RoleBinding/acme-dev/nexusos-operator'];
    t.deepEqual(bindings(fresh), isIn ? [...inDev, ...inProd] : inProd);
    const old = plan(tenant, seen);
    t.deepEqual(bindings(old), [...inDev, ...inProd]);
    t.deepEqual(old.remove, []);
    t.is(ready(fresh.status)?.status, 'False');
  });
}

test('without native quotas owners are let in at once', (t) => {
  const tenant = makeTenant({ ...FULL, quotas: { runs: { maxConcurrent: 3 } } });
  const first = plan(tenant, makeObserved({ namespaces: [makeNamespace('acme-dev', { tenant })] }));
  t.true(bindings(first).includes('RoleBinding/acme-dev/nexusos-admin'));
});

const GAPS: Readonly<
  Record<string, { readonly status: object; readonly reservations?: number; readonly want: object }>
> = {
  'a key that Kubernetes takes and does not count': {
    status: { hard: { 'requests.cpu': '250m', 'requests.memory': '1Gi' }, used: { 'requests.cpu': '0' } },
    want: { reason: 'NotCounted', message: /does not count these; .*: requests\.memory$/ },
  },
  'more in use than a total that was lowered': {
    status: {
      hard: { 'requests.cpu': '250m', 'requests.memory': '1Gi' },
      used: { 'requests.cpu': '600m', 'requests.memory': '1Gi' },
    },
    want: { reason: 'OverCommitted', message: /enough has ended: requests\.cpu$/ },
  },
  'more Runs than are allowed now': {
    status: {
      hard: { 'requests.cpu': '250m', 'requests.memory': '1Gi' },
      used: { 'requests.cpu': '0', 'requests.memory': '0' },
    },
    reservations: 4,
    want: { reason: 'OverCommitted', message: /enough has ended: runs\.concurrent$/ },
  },
};

for (const [title, { status, reservations = 0, want }] of Object.entries(GAPS)) {
  test(`QuotaEnforced is False, and Ready says why: ${title}`, (t) => {
    const { reason, message } = want as { readonly reason: string; readonly message: RegExp };
    const { tenant, observed } = settle(FULL);
    const held = Array.from({ length: reservations }, (_, i) => ({
      uid: String(i),
      namespace: 'acme-dev',
      name: String(i),
      agent: 'a',
      attempt: 1,
    }));
    const ledger = { ...observed.ledger!, status: { ...observed.ledger?.status, reservations: held } };
    const { conditions = [] } = plan(tenant, { ...withQuota(observed, 'acme-dev', status), ledger }).status;
    const quota = findCondition(conditions, 'QuotaEnforced');
    t.like(quota, { status: 'False', reason });
    t.regex(quota?.message ?? '', message);
    t.is(findCondition(conditions, 'Ready')?.status, 'True');
    t.regex(findCondition(conditions, 'Ready')?.message ?? '', message);
  });
}

test('a quota is in force only where the API server shows it', (t) => {
  const { tenant, observed } = settle(FULL);
  const [one] = observed.resourceQuotas;
  const { status } = plan(tenant, { ...observed, resourceQuotas: one ? [one] : [] });
  t.is(findCondition(status.conditions ?? [], 'QuotaEnforced')?.reason, 'QuotaPending');
  t.is(ready(status)?.status, 'False');
});

const TAKEN_OUT: Readonly<Record<string, (observed: TenantObserved) => TenantObserved>> = {
  'the ledger still has it': (observed) => observed,
  'the API server still holds a share of it': (observed) => ({
    ...observed,
    ledger: { ...observed.ledger!, spec: { ...observed.ledger!.spec, hard: undefined } },
  }),
};

for (const [title, seen] of Object.entries(TAKEN_OUT)) {
  test(`a quota that was taken out counts as in force, and Ready waits, while ${title}`, (t) => {
    const { observed } = settle(FULL);
    const spec = { ...FULL, quotas: { runs: { maxConcurrent: 3 } } };
    const { apply, status } = plan(makeTenant(spec, { status: settle(spec).tenant.status! }), seen(observed));
    const ledger = apply.find(({ kind }) => kind === 'QuotaLedger');
    t.false('hard' in (ledger!['spec'] as object), 'an empty map would be applied as null');
    t.is(findCondition(status.conditions ?? [], 'QuotaEnforced')?.reason, 'QuotaPending');
    t.is(ready(status)?.status, 'False');
  });
}

test('a ResourceQuota of somebody else with our name is named, with what to do', (t) => {
  const { tenant, observed } = settle(FULL);
  const metadata = { name: 'nexusos', namespace: 'acme-dev' };
  const theirs = { apiVersion: 'v1', kind: 'ResourceQuota', metadata };
  const { status } = plan(tenant, { ...observed, quotasInTheWay: [theirs] });
  t.like(ready(status), { status: 'False', reason: 'NameTaken' });
  t.regex(ready(status)?.message ?? '', /acme-dev .*kubectl -n acme-dev delete resourcequota nexusos/);
  t.is(findCondition(status.conditions ?? [], 'QuotaEnforced')?.reason, 'NameTaken');
  const elsewhere = { ...theirs, metadata: { ...metadata, namespace: 'not-held' } };
  t.is(ready(plan(tenant, { ...observed, quotasInTheWay: [elsewhere] }).status)?.status, 'True');
});

test('what the ledger is refused is what the Tenant waits for', (t) => {
  const { tenant, observed } = settle(FULL);
  const said = setStanding(
    [],
    { kind: 'reconciling', reason: 'WriteRefused', message: 'ResourceQuota acme-dev/nexusos: no' },
    { generation: 1, now: NOW },
  );
  const ledger = { ...observed.ledger!, status: { observedGeneration: 1, conditions: [...said] } };
  const { status } = plan(tenant, { ...observed, ledger, resourceQuotas: [] });
  t.like(ready(status), {
    status: 'False',
    reason: 'WriteRefused',
    message: 'ResourceQuota acme-dev/nexusos: no',
  });
});

test('quotas that this version does not enforce are said to be so, and do not keep the tenant from Ready', (t) => {
  const { last } = settle({ quotas: { cost: [{ window: 'day', limit: '1M' }], toolCallsPerMinute: 5 } });
  t.like(findCondition(last.status.conditions ?? [], 'QuotaEnforced'), {
    status: 'False',
    reason: 'NotEnforced',
    message:
      'recorded but not enforced, since what Runs cost is not known: the platform has no price for plan standard (platform.prices of the chart): spec.quotas.cost; recorded but not enforced by this version of NexusOS: spec.quotas.toolCallsPerMinute',
  });
  t.is(ready(last.status)?.status, 'True');
  t.regex(ready(last.status)?.message ?? '', /spec\.quotas\.cost/);
});

test('a tenant pays what the platform says of its plan; without a word its budgets of cost are not enforced', (t) => {
  const price: Price = { currency: 'USD', runUnits: 11_500_000 };
  const prices = { others: undefined, plans: new Map([['gold', price]]) };
  const cost = [{ window: 'month' as const, limit: '100' }];
  const ledgerFor = (planName: string) => {
    const { tenant, observed } = settle({ plan: planName, quotas: { cost } });
    const settings = { ...PLATFORM, prices };
    const { apply } = planTenant({ tenant, observed, settings }, NOW);
    return apply.find(({ kind }) => kind === 'QuotaLedger') as Ledger | undefined;
  };
  t.deepEqual(ledgerFor('gold')?.spec.price, price);
  t.deepEqual(ledgerFor('gold')?.spec.budgets, [{ unit: 'cost', window: 'month', limit: '100' }]);
  t.is(ledgerFor('tin')?.spec.price, undefined);
  const { last } = settle({ plan: 'tin', quotas: { cost } });
  t.regex(ready(last.status)?.message ?? '', /the platform has no price for plan tin \(platform\.prices/);
});
