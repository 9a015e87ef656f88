// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANNOTATIONS, API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import {
  MAX_KEYS,
  type QuotaLedgerSpec,
  type QuotaLedgerStatus,
  type Reservation,
} from '#crds/v1alpha1/quota-ledger';
import type { RunStatus } from '#crds/v1alpha1/run';
import { agentKey } from '../agent/agent.ts';
import { setStanding } from '../conditions.ts';
import type { KubeObject } from '../object.ts';
import type { Run } from '../run/run.ts';
import { makeAgent, makePod, makeRun, NOW } from '../run/testing/make.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { type LedgerObserved, planLedger } from './ledger.ts';
import { NOTHING_OF_LEDGER } from './testing/make-ledger.ts';

const NAMESPACE = 'acme-dev';
const RESERVED: Reservation = { uid: 'run-uid', namespace: NAMESPACE, name: 'r', agent: 'agent', attempt: 1 };

function makeLedger(spec: Partial<QuotaLedgerSpec>, status: QuotaLedgerStatus = {}): Ledger {
  return {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    metadata: { name: 'acme', uid: 'ledger-uid', generation: 1 },
    spec: { tenantUID: 'tenant-uid', suspended: false, namespaces: [NAMESPACE], ...spec },
    status,
  };
}

function makeQuota(revision: number, hard: string, tenantUID = 'tenant-uid'): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: {
      name: 'nexusos',
      namespace: NAMESPACE,
      uid: 'quota-uid',
      resourceVersion: '42',
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.tenant]: 'acme' },
      annotations: { [ANNOTATIONS.tenantUid]: tenantUID, [ANNOTATIONS.grantRevision]: String(revision) },
    },
    spec: { hard: { pods: hard } },
    status: { hard: { pods: hard }, used: { pods: '0' } },
  };
}

interface Case {
  readonly spec?: Partial<QuotaLedgerSpec>;
  readonly status?: QuotaLedgerStatus;
  readonly run?: RunStatus;
  readonly cancel?: boolean;
  readonly noRun?: boolean;
  readonly seen?: Partial<LedgerObserved>;
  readonly wantReserved?: readonly number[];
  readonly want?: Partial<Record<'replace' | 'create' | 'remove', readonly string[]>>;
}

const granted = { grants: [{ namespace: NAMESPACE, hard: { pods: '4' }, revision: 7 }] };
const pods = { hard: { pods: '4' } };

const cases: Record<string, Case> = {
  'a Run that runs and that a new ledger does not know counts before anybody is admitted': {
    run: { phase: 'Running', attempt: 2 },
    wantReserved: [2],
  },
  'one that is admitted does so too, though nothing may be admitted any more': {
    spec: { maxConcurrentRuns: 0 },
    run: { phase: 'Admitted', attempt: 1 },
    wantReserved: [1],
  },
  'one that has ended does not': { run: { phase: 'Succeeded', attempt: 1 } },
  'a waiting Run gets a reservation for its first attempt': { wantReserved: [1] },
  'a Run that is cancelled gets none': { cancel: true },
  'a suspended tenant reserves nothing': { spec: { suspended: true } },
  'a reservation is held while its Run has not seen it': {
    status: { reservations: [RESERVED] },
    wantReserved: [1],
  },
  'a reservation is held while its Run runs': {
    status: { reservations: [RESERVED] },
    run: { phase: 'Running', attempt: 1 },
    wantReserved: [1],
  },
  'a reservation is given back when its Run is final': {
    status: { reservations: [RESERVED] },
    run: { phase: 'Failed', attempt: 1 },
  },
  'a Run that is back in the queue gives back and gets a reservation for its next attempt': {
    status: { reservations: [RESERVED] },
    run: { phase: 'Queued', attempt: 1 },
    wantReserved: [2],
  },
  'a Run that no watch knows and that is there after all keeps its reservation': {
    status: { reservations: [RESERVED] },
    noRun: true,
    seen: { vanished: new Map([['run-uid', { kind: 'present' }]]) },
    wantReserved: [1],
  },
  'one that nobody looked for keeps it too': {
    status: { reservations: [RESERVED] },
    noRun: true,
    wantReserved: [1],
  },
  'a Run that is proven gone gives it back': {
    status: { reservations: [RESERVED] },
    noRun: true,
    seen: { vanished: new Map([['run-uid', { kind: 'gone' }]]) },
  },
  'a pod that outlived its Run is removed first': {
    status: { reservations: [RESERVED] },
    noRun: true,
    seen: { vanished: new Map([['run-uid', { kind: 'orphan', pod: makePod({}) }]]) },
    wantReserved: [1],
    want: { remove: ['Pod'] },
  },
  'a namespace in which our name is taken gets no ResourceQuota and no share, and nothing starts there': {
    spec: pods,
    seen: { taken: new Set([NAMESPACE]), quotas: new Map() },
    want: {},
  },
  'a new namespace gets a ResourceQuota that carries its grant': {
    noRun: true,
    spec: pods,
    seen: { quotas: new Map() },
    want: { create: ['ResourceQuota@undefined pods=4 revision=1'] },
  },
  'a ResourceQuota is replaced on the version that was seen': {
    noRun: true,
    spec: pods,
    status: granted,
    seen: { quotas: new Map([[NAMESPACE, makeQuota(6, '3')]]) },
    want: { replace: ['ResourceQuota@42 pods=4 revision=7'] },
  },
  'one that says the same in other words is left as it is': {
    noRun: true,
    spec: pods,
    status: granted,
    seen: { quotas: new Map([[NAMESPACE, makeQuota(7, '4000m')]]) },
  },
  'a key that nobody wants any more is taken off': {
    noRun: true,
    spec: pods,
    status: granted,
    seen: {
      quotas: new Map([[NAMESPACE, { ...makeQuota(7, '4'), spec: { hard: { pods: '4', services: '1' } } }]]),
    },
    want: { replace: ['ResourceQuota@42 pods=4 revision=7'] },
  },
  'a ResourceQuota of a later ledger than ours is left alone': {
    noRun: true,
    spec: pods,
    status: granted,
    seen: { quotas: new Map([[NAMESPACE, makeQuota(8, '3')]]) },
  },
  'one with a revision that was never in any ledger is put right': {
    noRun: true,
    spec: pods,
    status: granted,
    seen: { quotas: new Map([[NAMESPACE, makeQuota(8, '3')]]), forged: new Set([NAMESPACE]) },
    want: { replace: ['ResourceQuota@42 pods=4 revision=7'] },
  },
  'a namespace that is not there yet, or goes, gets no ResourceQuota': {
    noRun: true,
    spec: pods,
    seen: { quotas: new Map(), closed: new Set([NAMESPACE]) },
  },
  'where all namespaces go, nothing is moved any more': {
    noRun: true,
    spec: pods,
    status: granted,
    seen: { quotas: new Map([[NAMESPACE, makeQuota(6, '3')]]), closed: new Set([NAMESPACE]) },
  },
  'a ResourceQuota of somebody else is left alone': {
    noRun: true,
    spec: pods,
    status: granted,
    seen: { quotas: new Map([[NAMESPACE, makeQuota(0, '3', 'another')]]) },
  },
  'a namespace that was released loses its ResourceQuota': {
    noRun: true,
    spec: { ...pods, namespaces: [] },
    status: granted,
    seen: {
      quotas: new Map([[NAMESPACE, makeQuota(7, '4')]]),
      leftovers: new Map([[NAMESPACE, 'released']]),
    },
    want: { remove: ['ResourceQuota'] },
  },
  'a namespace that is gone has no grant any more': {
    noRun: true,
    spec: { ...pods, namespaces: [] },
    status: granted,
    seen: { leftovers: new Map([[NAMESPACE, 'gone']]) },
  },
};

function quotaText(object: KubeObject): string {
  const { hard } = object['spec'] as { hard: Record<string, string> };
  const { resourceVersion, annotations } = object.metadata;
  return `${object.kind}@${resourceVersion} pods=${hard['pods']} revision=${annotations?.[ANNOTATIONS.grantRevision]}`;
}

for (const [
  name,
  { spec = {}, status, run, cancel = false, noRun, seen, wantReserved = [], want = {} },
] of Object.entries(cases)) {
  test(name, (t) => {
    const observed: LedgerObserved = {
      ...NOTHING_OF_LEDGER,
      // Where a case does not care for quotas, there are none to be made either.
      quotas: new Map([[NAMESPACE, makeQuota(0, '0', 'another')]]),
      runs: noRun ? [] : [makeRun({ cancel }, run)],
      agents: new Map([[agentKey(NAMESPACE, 'agent'), makeAgent()]]),
      ...seen,
    };
    const plan = planLedger(makeLedger(spec, status), observed, NOW);
    t.deepEqual(
      plan.status.reservations?.map(({ attempt }) => attempt),
      wantReserved,
    );
    t.deepEqual(
      {
        replace: plan.replace?.map(quotaText),
        create: plan.create.map(quotaText),
        remove: plan.remove.map(({ ref }) => ref.kind),
      },
      { replace: [], create: [], remove: [], ...want },
    );
  });
}

test('a settled ledger is silent: planning again changes nothing', (t) => {
  const observed: LedgerObserved = {
    ...NOTHING_OF_LEDGER,
    quotas: new Map([[NAMESPACE, makeQuota(1, '4')]]),
  };
  const first = planLedger(makeLedger(pods), observed, NOW).status;
  const later = new Date(NOW.getTime() + 60_000);
  t.deepEqual(planLedger(makeLedger(pods, first), observed, later).status, first);
});

test('a key is in the ledger with the first reservation for it, and a full book is looked at when it has room', (t) => {
  const run = makeRun({ idempotencyKey: 'k' });
  const twin = { ...run, metadata: { ...run.metadata, uid: 'twin-uid', name: 'twin' } };
  const agents = new Map([[agentKey(NAMESPACE, 'agent'), makeAgent()]]);
  const observed: LedgerObserved = { ...NOTHING_OF_LEDGER, runs: [twin, run], agents };
  const { status } = planLedger(makeLedger({}), observed, NOW);
  t.deepEqual(
    [status.reservations, status.keys].map((list) => list?.map(({ name }) => name)),
    [['r'], ['r']],
  );
  const next = planLedger(makeLedger({}, status), observed, NOW);
  t.deepEqual(next.status, status);
  t.is(next.result.kind, 'done');
  const until = new Date(NOW.getTime() + 5000).toISOString();
  const keys = Array.from({ length: MAX_KEYS }, (_, i) => ({
    ...status.keys![0]!,
    key: `k${i}`,
    uid: 'gone',
    until,
  }));
  const full = planLedger(makeLedger({}, { keys }), observed, NOW);
  t.deepEqual(full.status.reservations, []);
  t.like(full.result, { kind: 'requeueAfter', afterMs: 5000 });
});

test('the rate of starts is kept in the ledger, and only a start writes it', (t) => {
  const waiting = makeRun();
  const other = { ...waiting, metadata: { ...waiting.metadata, uid: 'other-uid', name: 'other' } };
  const agents = new Map([[agentKey(NAMESPACE, 'agent'), makeAgent()]]);
  const observed: LedgerObserved = { ...NOTHING_OF_LEDGER, runs: [waiting, other], agents };
  const limited = { createPerSecond: 1, createBurst: 1 };
  const planAt = (status: QuotaLedgerStatus, afterMs: number) =>
    planLedger(makeLedger(limited, status), observed, new Date(NOW.getTime() + afterMs));
  const first = planAt({}, 0);
  t.is(first.status.reservations?.length, 1);
  t.is(first.status.startDueMicros, (NOW.getTime() + 1000) * 1000);
  t.like(first.result, { kind: 'requeueAfter', afterMs: 1000 });
  t.deepEqual(planAt(first.status, 900).status, first.status);
  t.is(planAt(first.status, 1000).status.reservations?.length, 2);
});

function makeAt(name: string, priority: number, createdAt: string): Run {
  const run = makeRun({ priority });
  return { ...run, metadata: { ...run.metadata, uid: name, name, creationTimestamp: createdAt } };
}

test('age outweighs priority as the tenant says, a minute a point when it says nothing', (t) => {
  const runs = [makeAt('patient', 0, '2026-11-21T11:00:00Z'), makeAt('urgent', 1, '2026-11-21T11:01:01Z')];
  const agents = new Map([[agentKey(NAMESPACE, 'agent'), makeAgent()]]);
  const firstWith = (spec: Partial<QuotaLedgerSpec>) => {
    const ledger = makeLedger({ maxConcurrentRuns: 1, ...spec });
    return planLedger(ledger, { ...NOTHING_OF_LEDGER, runs, agents }, NOW).status.reservations?.[0]?.uid;
  };
  t.is(firstWith({}), 'patient');
  t.is(firstWith({ priorityAgingSeconds: 120 }), 'urgent');
  t.is(firstWith({ priorityAgingSeconds: 0 }), 'urgent');
});

test('each namespace gets what NexusOS itself has still to make there, whoever else asks', (t) => {
  const key = 'count/rolebindings.rbac.authorization.k8s.io';
  const quotaIn = (namespace: string, used: string): KubeObject => {
    const quota = makeQuota(1, '0');
    const status = { hard: { [key]: used }, used: { [key]: used } };
    return { ...quota, metadata: { ...quota.metadata, namespace }, spec: { hard: { [key]: used } }, status };
  };
  const grants = [
    { namespace: NAMESPACE, hard: { [key]: '5' }, revision: 1 },
    { namespace: 'acme-new', hard: { [key]: '0' }, revision: 1 },
  ];
  const ledger = makeLedger({ hard: { [key]: '6' }, namespaces: [NAMESPACE, 'acme-new'] }, { grants });
  const observed: LedgerObserved = {
    ...NOTHING_OF_LEDGER,
    quotas: new Map([
      [NAMESPACE, quotaIn(NAMESPACE, '5')],
      ['acme-new', quotaIn('acme-new', '0')],
    ]),
    ownObjects: new Map([[key, 1000n]]),
  };
  const dealt = planLedger(ledger, observed, NOW).status.grants;
  t.is(dealt?.find(({ namespace }) => namespace === 'acme-new')?.hard[key], '1');
});

test('quota of ConfigMaps goes where a Run is about to be given one', (t) => {
  const key = 'count/configmaps';
  const names = ['acme-a', NAMESPACE, 'acme-z'];
  const grants = names.map((namespace) => ({ namespace, hard: { [key]: '0' }, revision: 1 }));
  const ledger = makeLedger(
    { hard: { [key]: '1' }, namespaces: names },
    { grants, reservations: [RESERVED] },
  );
  const run = makeRun({ input: { inline: '{}' } }, { phase: 'Admitted', attempt: 1 });
  const agents = new Map([[agentKey(NAMESPACE, 'agent'), makeAgent()]]);
  const dealt = planLedger(ledger, { ...NOTHING_OF_LEDGER, runs: [run], agents }, NOW).status.grants ?? [];
  t.deepEqual(
    dealt.map(({ hard }) => hard[key]),
    ['0', '1', '0'],
  );
});

test('what was refused is said until there is nothing to write any more', (t) => {
  const refused = { kind: 'reconciling', reason: 'WriteRefused', message: 'no' } as const;
  const conditions = [...setStanding([], refused, { generation: 1, now: NOW })];
  const readyIn = (quotas: LedgerObserved['quotas']) => {
    const { status } = planLedger(
      makeLedger(pods, { ...granted, conditions }),
      { ...NOTHING_OF_LEDGER, quotas },
      NOW,
    );
    return status.conditions?.find(({ type }) => type === 'Ready')?.reason;
  };
  t.is(readyIn(new Map()), 'WriteRefused');
  t.is(readyIn(new Map([[NAMESPACE, makeQuota(7, '4')]])), 'Balanced');
});
