// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { Kueue } from '../kueue/kueue.ts';
import { KUEUE } from '../kueue/testing/make.ts';
import type { KubeObject } from '../object.ts';
import { finalizeTenant } from './finalize.ts';
import { planTenant } from './plan.ts';
import type { TenantObserved } from './tenant.ts';
import {
  asLive,
  makeLedger,
  makeNamespace,
  makeObserved,
  makeTenant,
  NOW,
  PLATFORM,
} from './testing/objects.ts';
import { ready } from './testing/settle.ts';

const API_VERSION = 'kueue.x-k8s.io/v1beta2';
const SERVED: Kueue = { isServed: true, ...KUEUE };
const TENANT = makeTenant({ namespaces: [{ suffix: 'dev' }] });
const NAMESPACES = [makeNamespace('acme-dev', { tenant: TENANT })];

function planned(observed: Partial<TenantObserved>, kueue: readonly Kueue[] = [SERVED]) {
  const seen = { ...makeObserved({ namespaces: NAMESPACES }), ledger: makeLedger(TENANT), ...observed };
  return planTenant({ tenant: TENANT, observed: seen, settings: { ...PLATFORM, kueue: kueue[0] } }, NOW);
}

function ofKueue(objects: readonly KubeObject[]): readonly string[] {
  return objects
    .filter(({ apiVersion }) => apiVersion === API_VERSION)
    .map(({ kind, metadata }) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`);
}

/** Queues as they were made for a tenant. */
function made(): readonly KubeObject[] {
  return planned({})
    .apply.filter(({ apiVersion }) => apiVersion === API_VERSION)
    .map(asLive);
}

const ALL = ['ResourceFlavor//nexusos', 'ClusterQueue//nexusos-acme', 'LocalQueue/acme-dev/nexusos'];

test('a tenant gets its queues where Kueue is served, and none elsewhere', (t) => {
  t.deepEqual(ofKueue(planned({}).apply), ALL);
  t.deepEqual(ofKueue(planned({}, []).apply), []);
  t.deepEqual(ofKueue(planned({}, [{ isServed: false }]).apply), []);
});

test('a LocalQueue that leads elsewhere is removed by its uid, and made anew in the next pass', (t) => {
  const objects = made().map((one) =>
    one.kind === 'LocalQueue' ? { ...one, spec: { clusterQueue: 'nexusos-rich' } } : one,
  );
  const { apply, remove } = planned({ objects });
  t.deepEqual(
    remove.map(({ ref }) => [ref.kind, ref.uid]),
    [['LocalQueue', 'uid-of-LocalQueue-acme-dev-nexusos']],
  );
  t.false(ofKueue(apply).includes('LocalQueue/acme-dev/nexusos'));
});

test('the LocalQueue of a namespace that the tenant does not hold any more goes', (t) => {
  const left = made().map((one) =>
    one.kind === 'LocalQueue' ? { ...one, metadata: { ...one.metadata, namespace: 'acme-old' } } : one,
  );
  const { remove } = planned({ objects: left });
  t.deepEqual(
    remove.map(({ ref }) => `${ref.kind}/${ref.namespace}`),
    ['LocalQueue/acme-old'],
  );
});

const FOREIGN: Readonly<
  Record<
    string,
    {
      readonly object: Pick<KubeObject, 'kind' | 'metadata'>;
      readonly want: readonly string[];
      readonly told: RegExp;
    }
  >
> = {
  'its ClusterQueue': {
    object: { kind: 'ClusterQueue', metadata: { name: 'nexusos-acme' } },
    want: ['ResourceFlavor//nexusos'],
    told: /ClusterQueue nexusos-acme was not made .* kubectl delete clusterqueue nexusos-acme/,
  },
  'the flavor that all share': {
    object: { kind: 'ResourceFlavor', metadata: { name: 'nexusos' } },
    want: [],
    told: /ResourceFlavor nexusos .* kubectl delete resourceflavor nexusos/,
  },
  'a LocalQueue': {
    object: { kind: 'LocalQueue', metadata: { name: 'nexusos', namespace: 'acme-dev' } },
    want: ALL.slice(0, 2),
    told: /in namespace acme-dev .* kubectl -n acme-dev delete localqueue nexusos/,
  },
};

for (const [name, { object, want, told }] of Object.entries(FOREIGN)) {
  test(`what somebody else has made is left alone, and nothing leads there: ${name}`, (t) => {
    const queuesInTheWay = [{ apiVersion: API_VERSION, ...object }];
    const { apply, remove, status } = planned({ queuesInTheWay });
    t.deepEqual(ofKueue(apply), want);
    t.deepEqual(remove, []);
    t.is(ready(status)?.reason, 'NameTaken');
    t.regex(ready(status)?.message ?? '', told);
  });
}

test('the flavor that all share counts as seen, though it is of no tenant', (t) => {
  const flavors = made().filter(({ kind }) => kind === 'ResourceFlavor');
  t.is(flavors[0]?.metadata.labels?.[LABELS.managedBy], MANAGED_BY);
  t.is(flavors[0]?.metadata.labels?.[LABELS.tenant], undefined);
  const { apply } = planned({ flavors, objects: made().filter(({ kind }) => kind !== 'ResourceFlavor') });
  t.deepEqual(ofKueue(apply), ALL);
});

test('its ClusterQueue goes with the tenant, when nothing of it runs any more', (t) => {
  const annotations = { 'nexusos.dev/confirm-deletion': 'acme' };
  const metadata = { ...TENANT.metadata, annotations, deletionTimestamp: NOW.toISOString() };
  const tenant = { ...TENANT, metadata };
  const objects = made().filter(({ kind }) => kind === 'ClusterQueue');
  const plan = (observed: TenantObserved) =>
    finalizeTenant({ tenant, observed, settings: { ...PLATFORM, kueue: SERVED } }, NOW);
  t.deepEqual(ofKueueRefs(plan(makeObserved({ namespaces: NAMESPACES, objects }))), []);
  t.deepEqual(ofKueueRefs(plan(makeObserved({ objects }))), ['nexusos-acme']);
});

function ofKueueRefs({ remove }: ReturnType<typeof finalizeTenant>): readonly string[] {
  return remove.filter(({ ref }) => ref.apiVersion === API_VERSION).map(({ ref }) => ref.name);
}
