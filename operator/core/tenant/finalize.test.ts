// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { finalizeTenant } from './finalize.ts';
import {
  asLive,
  makeLedger,
  makeNamespace,
  makeObserved,
  makeTenant,
  NOW,
  PLATFORM,
} from './testing/objects.ts';
import { ownedMetadata, type TenantObserved } from './tenant.ts';

const CONSENT = {
  annotations: { [ANNOTATIONS.confirmDeletion]: 'acme' },
  deletionTimestamp: '2026-11-21T11:59:00Z',
};
const STATUS = {
  namespaces: [
    { name: 'acme-dev', uid: 'uid-of-acme-dev', adopted: false, state: 'Active' as const },
    { name: 'old', uid: 'uid-of-old', adopted: true, state: 'Active' as const },
  ],
};
const TENANT = makeTenant(
  { namespaces: [{ suffix: 'dev' }], adoptNamespaces: [{ name: 'old' }] },
  { metadata: CONSENT, status: STATUS },
);
const DEV = makeNamespace('acme-dev', { tenant: TENANT });
const OLD = makeNamespace('old', { tenant: TENANT });
const LEDGER = makeLedger(TENANT);
const CLOSED = { ...LEDGER, spec: { ...LEDGER.spec, suspended: true } };
const RESERVATION = { uid: 'r', namespace: 'acme-dev', name: 'r', agent: 'a', attempt: 1 };

function made(kind: string, namespace?: string): KubeObject {
  const key = { name: 'nexusos', ...(namespace !== undefined && { namespace }) };
  return asLive({ apiVersion: 'v1', kind, metadata: ownedMetadata(TENANT, key) });
}

const RUN = made('Run', 'acme-dev');
const ACCESS = made('ClusterRoleBinding');
const INSIDE = made('ConfigMap', 'old');

interface Case {
  readonly tenant?: typeof TENANT;
  readonly seen: Partial<Omit<TenantObserved, 'namespaces'>> & {
    readonly namespaces?: readonly KubeObject[];
  };
  readonly removes: readonly string[];
  readonly applies?: readonly string[];
  readonly waitsFor: RegExp;
  readonly result?: string;
}

const CASES: Readonly<Record<string, Case>> = {
  'without consent nothing happens': {
    tenant: { ...TENANT, metadata: { ...TENANT.metadata, annotations: {} } },
    seen: { namespaces: [DEV, OLD], ledger: LEDGER, runs: [RUN], objects: [ACCESS, INSIDE] },
    removes: [],
    waitsFor: /consent: kubectl annotate tenant acme nexusos\.dev\/confirm-deletion=acme/,
  },
  'consent to the end of a namespace is none to the end of the Tenant': {
    tenant: {
      ...TENANT,
      metadata: { ...TENANT.metadata, annotations: { [ANNOTATIONS.confirmDeletion]: 'acme-dev' } },
    },
    seen: { namespaces: [DEV, OLD], ledger: LEDGER, runs: [RUN], objects: [ACCESS, INSIDE] },
    removes: [],
    waitsFor: /consent: kubectl annotate tenant acme nexusos\.dev\/confirm-deletion=acme/,
  },
  'first nothing new is admitted and Runs end': {
    seen: { namespaces: [DEV, OLD], ledger: LEDGER, runs: [RUN], objects: [ACCESS, INSIDE] },
    removes: ['Run nexusos'],
    applies: ['QuotaLedger'],
    waitsFor: /1 Run to be gone and 0 reservations to be given back/,
  },
  'reservations are waited for, since their pods may still run': {
    seen: {
      namespaces: [DEV, OLD],
      ledger: { ...CLOSED, status: { reservations: [RESERVATION] } },
      objects: [ACCESS],
    },
    removes: [],
    applies: ['QuotaLedger'],
    waitsFor: /0 Runs to be gone and 1 reservation to be given back/,
  },
  'then namespaces go and adopted ones are released': {
    seen: { namespaces: [DEV, OLD], ledger: CLOSED, objects: [ACCESS, INSIDE] },
    removes: ['ConfigMap nexusos', 'Namespace acme-dev'],
    applies: ['Namespace'],
    waitsFor: /namespace acme-dev to be gone; namespace old to be released/,
  },
  'what keeps a namespace is told': {
    seen: {
      namespaces: [
        {
          ...DEV,
          metadata: { ...DEV.metadata, deletionTimestamp: '2026-11-21T12:00:00Z' },
          status: {
            conditions: [
              {
                type: 'NamespaceFinalizersRemaining',
                status: 'True',
                message: 'example.com/stuck in 1 widgets',
              },
            ],
          },
        },
      ],
      ledger: CLOSED,
      objects: [ACCESS],
    },
    removes: [],
    waitsFor: /namespace acme-dev to be gone \(example\.com\/stuck in 1 widgets\)/,
  },
  'then the ledger, and owners can still look': {
    seen: { namespaces: [makeNamespace('old')], ledger: CLOSED, objects: [ACCESS] },
    removes: ['QuotaLedger acme'],
    waitsFor: /its ledger to be gone/,
  },
  'then what lets owners look, and that is all': {
    seen: { objects: [ACCESS] },
    removes: ['ClusterRoleBinding nexusos'],
    waitsFor: /nothing more/,
    result: 'finalized',
  },
};

for (const [
  title,
  { tenant = TENANT, seen, removes, applies = [], waitsFor, result = 'done' },
] of Object.entries(CASES)) {
  test(title, (t) => {
    const plan = finalizeTenant({ tenant, observed: makeObserved(seen), settings: PLATFORM }, NOW);
    t.deepEqual(
      plan.remove.map(({ ref }) => `${ref.kind} ${ref.name}`),
      removes,
    );
    t.deepEqual(
      plan.apply.map(({ kind }) => kind),
      applies,
    );
    t.is(plan.result.kind, result as typeof plan.result.kind);
    t.is(plan.status.state, 'Terminating');
    t.regex(plan.status.conditions?.find(({ type }) => type === 'Ready')?.message ?? '', waitsFor);
  });
}

test('a namespace of somebody else that bears a wanted name is not touched', (t) => {
  const tenant = makeTenant({ namespaces: [{ suffix: 'dev' }] }, { metadata: CONSENT });
  const observed = makeObserved({ namespaces: [makeNamespace('acme-dev')] });
  const plan = finalizeTenant({ tenant, observed, settings: PLATFORM }, NOW);
  t.deepEqual([plan.apply, plan.remove], [[], []]);
  t.is(plan.result.kind, 'finalized');
});
