// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANNOTATIONS, API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { QuotaLedgerSpec, QuotaLedgerStatus, Reservation } from '#crds/v1alpha1/quota-ledger';
import type { RunStatus } from '#crds/v1alpha1/run';
import { agentKey } from '../agent/agent.ts';
import type { KubeObject } from '../object.ts';
import { makeAgent, makeJob, makeRun, NOW } from '../run/testing/make.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { type LedgerObserved, planLedger } from './ledger.ts';

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

function makeQuota(revision: number, hard: string, owner = 'ledger-uid'): KubeObject {
  const reference = {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    name: 'acme',
    uid: owner,
    controller: true,
    blockOwnerDeletion: false,
  };
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: {
      name: 'nexusos',
      namespace: NAMESPACE,
      uid: 'quota-uid',
      resourceVersion: '42',
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.tenant]: 'acme' },
      annotations: { [ANNOTATIONS.grantRevision]: String(revision) },
      ownerReferences: [reference],
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
  'a Job that outlived its Run is removed first': {
    status: { reservations: [RESERVED] },
    noRun: true,
    seen: { vanished: new Map([['run-uid', { kind: 'orphan', job: makeJob() }]]) },
    wantReserved: [1],
    want: { remove: ['Job'] },
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
      // Where a case does not care for quotas, there are none to be made either.
      quotas: new Map([[NAMESPACE, makeQuota(0, '0', 'another')]]),
      closed: new Set(),
      forged: new Set(),
      leftovers: new Map(),
      runs: noRun ? [] : [makeRun({ cancel }, run)],
      vanished: new Map(),
      started: new Set(),
      refusals: [],
      agents: new Map([[agentKey(NAMESPACE, 'agent'), makeAgent()]]),
      gpuClasses: new Map(),
      containerDefaults: undefined,
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
    quotas: new Map([[NAMESPACE, makeQuota(1, '4')]]),
    closed: new Set(),
    forged: new Set(),
    leftovers: new Map(),
    runs: [],
    vanished: new Map(),
    started: new Set(),
    refusals: [],
    agents: new Map(),
    gpuClasses: new Map(),
    containerDefaults: undefined,
  };
  const first = planLedger(makeLedger(pods), observed, NOW).status;
  const later = new Date(NOW.getTime() + 60_000);
  t.deepEqual(planLedger(makeLedger(pods, first), observed, later).status, first);
});
