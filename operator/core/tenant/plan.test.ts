// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import { findCondition } from '../conditions.ts';
import type { KubeObject } from '../object.ts';
import {
  asLive,
  makeLedger,
  makeNamespace,
  makeObserved,
  makeTenant,
  NOW,
  type SpecInput,
} from './testing/objects.ts';
import { FULL, plan, ready, settle } from './testing/settle.ts';
import { identity, ownedMetadata, type Tenant, type TenantObserved } from './tenant.ts';

test('a new tenant settles with three statuses, and then nothing is written', (t) => {
  const { statuses, last, tenant, observed } = settle(FULL);
  t.is(statuses.length, 3, statuses.join('\n'));
  t.is(ready(last.status)?.status, 'True');
  t.is(last.status.state, 'Active');
  t.deepEqual([last.create, last.remove], [[], []]);
  const applied = new Set(observed.objects.map(identity));
  t.true(last.apply.every((one) => one.kind === 'QuotaLedger' || applied.has(identity(one))));
  t.deepEqual(plan(tenant, observed, new Date(NOW.getTime() + 60_000)).status, tenant.status);
});

test('namespaces are created first, and what names them all is written once they are there', (t) => {
  const first = plan(makeTenant(FULL));
  t.deepEqual(
    first.create.map(({ metadata }) => metadata.name),
    ['acme-dev', 'acme-prod'],
  );
  t.deepEqual(first.apply, []);
  t.is(first.status.state, 'Pending');
  t.is(ready(first.status)?.reason, 'Provisioning');
});

test('parameters of the guardrails come before what the guardrails judge', (t) => {
  const tenant = makeTenant(FULL);
  const { apply } = plan(
    tenant,
    makeObserved({ namespaces: [desired(tenant, 'acme-dev'), desired(tenant, 'acme-prod')] }),
  );
  for (const namespace of ['acme-dev', 'acme-prod']) {
    t.is(apply.find(({ metadata }) => metadata.namespace === namespace)?.kind, 'ConfigMap');
  }
});

test('a tenant is not Ready while a namespace of it lacks its marks, and no guardrail holds there', (t) => {
  const { tenant, observed, last } = settle(FULL);
  t.is(ready(last.status)?.status, 'True');
  const [bare, ...others] = [...observed.namespaces.values()];
  const { labels: _labels, annotations: _annotations, ...metadata } = bare?.metadata ?? { name: '' };
  const lost = { ...bare, metadata } as KubeObject;
  const namespaces = new Map([lost, ...others].map((one) => [one.metadata.name, one]));
  const { status, apply } = plan(tenant, { ...observed, namespaces });
  t.is(ready(status)?.reason, 'Provisioning');
  t.true(apply.some(({ kind, metadata: { name } }) => kind === 'Namespace' && name === metadata.name));
});

test('parameters of guardrails that were planted in a namespace as it was adopted are removed by their UID', (t) => {
  const tenant = makeTenant({ adoptNamespaces: [{ name: 'old' }] });
  const metadata = { name: 'nexusos-guardrails', namespace: 'old', uid: 'planted' };
  const planted = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata,
    immutable: true,
    data: { egress: '::/0|' },
  };
  const namespaces = [makeNamespace('old', { tenant })];
  const { remove, apply, result } = plan(tenant, makeObserved({ namespaces, fixedParameters: [planted] }));
  t.deepEqual(
    remove.map(({ ref }) => [ref.kind, ref.uid]),
    [['ConfigMap', 'planted']],
  );
  t.false(apply.some(({ kind }) => kind === 'ConfigMap'));
  t.is(result.kind, 'requeueAfter', 'nobody watches what is not ours');
});

function desired(tenant: Tenant, name: string): KubeObject {
  const { create } = plan({ ...tenant, status: {} });
  return asLive(create.find(({ metadata }) => metadata.name === name) ?? makeNamespace(name, { tenant }));
}

test('a namespace that we have just created is not written a second time', (t) => {
  const { last } = settle(FULL);
  t.false(last.apply.some(({ kind }) => kind === 'Namespace'));
});

test('a label that somebody took off a namespace is put back, onto that very namespace', (t) => {
  const { tenant, observed } = settle(FULL);
  const bare = makeNamespace('acme-dev', { metadata: { uid: 'uid-of-Namespace--acme-dev' } });
  const namespaces = new Map([...observed.namespaces, ['acme-dev', bare]]);
  const { apply } = plan(tenant, { ...observed, namespaces });
  const [repair] = apply.filter(({ kind }) => kind === 'Namespace');
  t.is(repair?.metadata.uid, 'uid-of-Namespace--acme-dev');
  t.is(repair?.metadata.labels?.[LABELS.tenant], 'acme');
});

test('the ledger has the totals in canonical form, and the namespaces that share them', (t) => {
  const { observed } = settle(FULL);
  t.like(observed.ledger?.spec, {
    tenantUID: 'uid-of-acme',
    suspended: false,
    hard: { 'requests.cpu': '500m', 'requests.memory': '1Gi' },
    maxConcurrentRuns: 3,
    namespaces: ['acme-dev', 'acme-prod'],
  });
});

test('an object of ours that is no longer wanted is removed, one of somebody else is not', (t) => {
  const { tenant, observed } = settle(FULL);
  const less = { ...tenant, spec: makeTenant({ ...FULL, containerDefaults: undefined }).spec };
  const stranger = {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: 'theirs', namespace: 'acme-dev', uid: 'x', labels: { [LABELS.tenant]: 'acme' } },
  };
  const { remove } = plan(less, { ...observed, objects: [...observed.objects, stranger] });
  t.deepEqual(
    remove.map(({ ref }) => `${ref.kind} ${ref.namespace ?? ''}/${ref.name}`),
    ['LimitRange acme-dev/nexusos', 'LimitRange acme-prod/nexusos'],
  );
});

/** What is still to be done for a tenant that was Ready, besides objects that are made or changed. */
const NOT_YET_AS_WANTED: Readonly<Record<string, SpecInput>> = {
  'a namespace that is not marked with its Pod Security level yet': {
    ...FULL,
    podSecurity: { enforce: 'baseline' },
  },
  'what is no longer wanted and still there': { ...FULL, containerDefaults: undefined },
};

for (const [what, spec] of Object.entries(NOT_YET_AS_WANTED)) {
  test(`a tenant does not say that all is as wanted before it is: ${what}`, (t) => {
    const { tenant, observed } = settle(FULL);
    t.is(ready(tenant.status ?? {})?.status, 'True');
    const { status } = plan({ ...tenant, spec: makeTenant(spec).spec }, observed);
    t.like(ready(status), { status: 'False', reason: 'Provisioning' });
  });
}

test('a binding to another role is removed, since it cannot be changed', (t) => {
  const { tenant, observed } = settle(FULL);
  const objects = observed.objects.map((one) =>
    one.metadata.name === 'nexusos-admin' && one.metadata.namespace === 'acme-dev'
      ? { ...one, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' } }
      : one,
  );
  const { apply, remove } = plan(tenant, { ...observed, objects });
  t.deepEqual(
    remove.map(({ ref }) => ref.name),
    ['nexusos-admin'],
  );
  t.false(apply.map(identity).includes('RoleBinding/acme-dev/nexusos-admin'));
});

const PROBLEMS: Readonly<
  Record<
    string,
    {
      readonly spec: SpecInput;
      readonly seen?: Partial<TenantObserved>;
      readonly reason: string;
      readonly says: RegExp;
    }
  >
> = {
  'a GPU class that does not exist': {
    spec: { quotas: { gpus: [{ class: 'h200', count: 1 }] } },
    reason: 'GPUClassNotFound',
    says: /spec\.quotas\.gpus names class h200, which does not exist/,
  },
  'a pull secret that is not shared': {
    spec: { imagePullSecrets: [{ name: 'hub' }] },
    reason: 'PullSecretUnavailable',
    says: /pull secret hub is not in namespace platform, or lacks the label nexusos\.dev\/shareable: "true"/,
  },
  'a pull secret of another type': {
    spec: { imagePullSecrets: [{ name: 'hub' }] },
    seen: {
      pullSecretSources: new Map([['hub', { ...makeNamespace('hub'), kind: 'Secret', type: 'Opaque' }]]),
    },
    reason: 'PullSecretUnavailable',
    says: /pull secret hub is of type Opaque; it must be kubernetes\.io\/dockerconfigjson/,
  },
  'a RuntimeClass that does not exist': {
    spec: { isolation: { tier: 'Hard', runtimeClassName: 'gvisor' } },
    seen: { hasRuntimeClass: false },
    reason: 'RuntimeClassNotFound',
    says: /spec\.isolation\.runtimeClassName is gvisor, which does not exist, so .* ask your platform team$/,
  },
  'namespaces that are no longer in the spec': {
    spec: {},
    seen: {
      namespaces: new Map(
        ['acme-b', 'acme-a'].map((name) => [name, makeNamespace(name, { tenant: makeTenant() })]),
      ),
    },
    reason: 'DeletionNotConfirmed',
    says: /kubectl annotate tenant acme nexusos\.dev\/confirm-deletion=acme-a,acme-b --overwrite; ask/,
  },
  'a destination in a reserved range': {
    spec: { network: { egress: [{ cidr: '10.96.0.1/32' }] } },
    reason: 'EgressRefused',
    says: /spec\.network\.egress\[0\]\.cidr is 10\.96\.0\.1\/32; it must lie outside 10\.96\.0\.0\/12/,
  },
  'a namespace that is in the way': {
    spec: { namespaces: [{ suffix: 'dev' }] },
    seen: { namespaces: new Map([['acme-dev', makeNamespace('acme-dev')]]) },
    reason: 'NamespaceConflict',
    says: /acme-dev exists and belongs to no tenant; choose another suffix, or have it adopted; ask your platform team$/,
  },
};

for (const [title, { spec, seen, reason, says }] of Object.entries(PROBLEMS)) {
  test(`${title} is told, and stalls`, (t) => {
    const observed = { ...makeObserved(), ...seen };
    const { status } = plan(makeTenant(spec), observed);
    t.like(ready(status), { status: 'False', reason });
    t.regex(ready(status)?.message ?? '', says);
    t.is(findCondition(status.conditions ?? [], 'Stalled')?.status, 'True');
    t.is(findCondition(status.conditions ?? [], 'Reconciling'), undefined);
  });
}

test('pull secrets: first the permission and the record, then the copy, then silence', (t) => {
  const source = {
    ...makeNamespace('hub'),
    kind: 'Secret',
    type: 'kubernetes.io/dockerconfigjson',
    data: { a: 'b' },
  };
  const sources = {
    pullSecretSources: new Map([
      ['hub', { ...source, metadata: { name: 'hub', uid: 's', resourceVersion: '7' } }],
    ]),
  };
  const spec: SpecInput = { namespaces: [{ suffix: 'dev' }], imagePullSecrets: [{ name: 'hub' }] };
  const { last, observed, tenant } = settle(spec, sources);
  t.is(ready(last.status)?.status, 'True');
  t.false(last.apply.some(({ kind }) => kind === 'Secret'));
  const account = observed.objects.find(({ kind }) => kind === 'ServiceAccount');
  t.deepEqual(account?.['imagePullSecrets'], [{ name: 'nexusos-pull-hub' }]);
  t.is(account?.metadata.annotations?.[ANNOTATIONS.source], 's/7');

  const renewed = new Map([
    ['hub', { ...source, metadata: { name: 'hub', uid: 's', resourceVersion: '8' } }],
  ]);
  const { apply } = plan(tenant, { ...observed, pullSecretSources: renewed });
  const kinds = apply.map(({ kind }) => kind);
  t.true(kinds.indexOf('Secret') >= 0 && kinds.indexOf('Secret') < kinds.indexOf('ServiceAccount'));
});

test('copies of pull secrets are read again when it is time, and that time is kept', (t) => {
  const metadata = { name: 'hub', uid: 's', resourceVersion: '7' };
  const source = { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/dockerconfigjson', metadata };
  const sources = { pullSecretSources: new Map([['hub', source]]) };
  const spec: SpecInput = { namespaces: [{ suffix: 'dev' }], imagePullSecrets: [{ name: 'hub' }] };
  const { last, observed, tenant } = settle(spec, { ...sources, copiesDueMs: 5000 });
  t.like(last.result, { kind: 'requeueAfter', afterMs: 5000 });
  const due = plan(tenant, { ...observed, areCopiesDue: true });
  t.deepEqual(due.apply.filter(({ kind }) => kind === 'Secret').map(identity), [
    'Secret/acme-dev/nexusos-pull-hub',
  ]);
  t.deepEqual(due.status, last.status);
});

test('a copy that is no longer wanted goes before the permission to remove it', (t) => {
  const { tenant, observed } = settle({ namespaces: [{ suffix: 'dev' }] });
  const metadata = {
    ...ownedMetadata(tenant, { name: 'nexusos-pull-hub', namespace: 'acme-dev' }),
    uid: 'c',
  };
  const stalePullSecrets = [{ apiVersion: 'v1', kind: 'Secret', metadata }];
  const { apply, remove, result } = plan(tenant, { ...observed, stalePullSecrets });
  t.deepEqual(
    remove.map(({ ref }) => ref.name),
    ['nexusos-pull-hub'],
  );
  t.true(apply.some((one) => one.metadata.name === 'nexusos-pull-secrets'));
  t.is(result.kind, 'requeueAfter');
});

test('a suspended tenant is Ready and says that it is suspended', (t) => {
  const { last, observed } = settle({ ...FULL, suspended: true });
  t.is(last.status.state, 'Suspended');
  t.like(ready(last.status), { status: 'True', reason: 'Suspended' });
  t.true(observed.ledger?.spec.suspended);
});

test('a new usage waits its turn, and a new usage together with other news does not', (t) => {
  const { tenant, observed } = settle(FULL);
  const reservation = { uid: 'r', namespace: 'acme-dev', name: 'r', agent: 'a', attempt: 1 };
  const ledger = { ...observed.ledger!, status: { ...observed.ledger?.status, reservations: [reservation] } };
  const soon = plan(tenant, { ...observed, ledger }, new Date(NOW.getTime() + 2000));
  t.deepEqual(soon.status, tenant.status);
  t.deepEqual(soon.result, { kind: 'requeueAfter', afterMs: 3000, why: 'usage has changed' });
  const later = plan(tenant, { ...observed, ledger }, new Date(NOW.getTime() + 5000));
  t.is(later.status.summary?.runs, '1/3');
  t.is(later.status.usageAt, '2026-11-21T12:00:05Z');
  t.is(later.result.kind, 'done');
  const changed = { ...tenant, metadata: { ...tenant.metadata, generation: 2 } };
  t.is(plan(changed, { ...observed, ledger }, new Date(NOW.getTime() + 2000)).status.summary?.runs, '1/3');
});

test('whatever is seen of tenant acme-b, no plan for acme touches its namespaces', (t) => {
  const suffixes = fc.uniqueArray(fc.constantFrom('dev', 'b-dev', 'b'), { minLength: 1 });
  fc.assert(
    fc.property(suffixes, suffixes, fc.boolean(), (mine, theirs, isConfirmed) => {
      const other = makeTenant(
        { namespaces: theirs.map((suffix) => ({ suffix })) },
        { metadata: { name: 'acme-b' } },
      );
      const taken = theirs.map((suffix) => makeNamespace(`acme-b-${suffix}`, { tenant: other }));
      const tenant = makeTenant(
        { namespaces: mine.map((suffix) => ({ suffix })) },
        isConfirmed
          ? { metadata: { annotations: { [ANNOTATIONS.confirmDeletion]: [...taken.keys()].join() } } }
          : {},
      );
      const names = new Set(taken.map(({ metadata }) => metadata.name));
      const { apply, create, remove } = plan(
        tenant,
        makeObserved({ namespaces: taken, ledger: makeLedger(tenant) }),
      );
      const touched = [
        ...[...apply, ...create].map(
          (one) => one.metadata.namespace ?? (one.kind === 'Namespace' ? one.metadata.name : ''),
        ),
        ...remove.map(({ ref }) => ref.namespace ?? ref.name),
      ];
      t.false(touched.some((name) => names.has(name)));
      t.false(apply.some((one) => [...names].some((name) => JSON.stringify(one).includes(`"${name}"`))));
    }),
  );
});
