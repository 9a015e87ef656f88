// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import type { QuotaLedgerSpec } from '#crds/v1alpha1/quota-ledger';
import type { TenantQuotas } from '#crds/v1alpha1/tenant-quotas';
import type { Price } from '#crds/v1alpha1/price';
import {
  canonicalQuantity,
  desiredLedger,
  hasLimitsOf,
  lacksPrice,
  nativeTotals,
  unenforcedQuotas,
} from './quotas.ts';
import type { Ledger } from './tenant.ts';
import { makeTenant } from './testing/objects.ts';

function gpuClass(spec: Partial<GPUClassSpec>): GPUClassSpec {
  return { sharing: 'Exclusive', provisioning: 'Static', multiplierPercent: 100, ...spec };
}

const CLASSES = new Map([
  ['h100', gpuClass({ resourceName: 'nvidia.com/gpu' })],
  ['l4', gpuClass({ resourceName: 'nvidia.com/gpu' })],
  ['a100-3g', gpuClass({ resourceName: 'nvidia.com/mig-3g.20gb' })],
  ['h100-dra', gpuClass({ deviceClassName: 'gpu.nvidia.com' })],
]);

const TOTALS: Readonly<
  Record<
    string,
    { readonly quotas: TenantQuotas; readonly hard: object; readonly missing?: readonly string[] }
  >
> = {
  'amounts are written as the API server writes them': {
    quotas: { compute: { 'requests.cpu': '0.5', 'requests.memory': '1024Mi' }, objects: { pods: 10 } },
    hard: { pods: '10', 'requests.cpu': '500m', 'requests.memory': '1Gi' },
  },
  'classes that share a resource are summed, since the API server cannot tell them apart': {
    quotas: {
      gpus: [
        { class: 'h100', count: 8 },
        { class: 'l4', count: 2 },
        { class: 'a100-3g', count: 1 },
      ],
    },
    hard: { 'requests.nvidia.com/gpu': '10', 'requests.nvidia.com/mig-3g.20gb': '1' },
  },
  'devices of dynamic resource allocation are counted by class': {
    quotas: { gpus: [{ class: 'h100-dra', count: 4 }] },
    hard: { 'gpu.nvidia.com.deviceclass.resource.k8s.io/devices': '4' },
  },
  'a class that does not exist is named and counts nothing': {
    quotas: { gpus: [{ class: 'h200', count: 4 }] },
    hard: {},
    missing: ['h200'],
  },
};

for (const [title, { quotas, hard, missing = [] }] of Object.entries(TOTALS)) {
  test(title, (t) => {
    t.deepEqual(nativeTotals(quotas, CLASSES), { hard, missingClasses: missing } as ReturnType<
      typeof nativeTotals
    >);
  });
}

const CANONICAL: readonly (readonly [string | number, string])[] = [
  [4, '4'],
  ['4000m', '4'],
  ['0.1', '100m'],
  ['2048Ki', '2Mi'],
  ['1500Mi', '1500Mi'],
  ['1e3', '1k'],
];

for (const [given, want] of CANONICAL) {
  test(`${given} is written as ${want}`, (t) => t.is(canonicalQuantity(given), want));
}

function ledgerOf(runs: TenantQuotas['runs']): Ledger {
  const input = { totals: { hard: {}, missingClasses: [] }, namespaces: [], suspended: false };
  return desiredLedger(makeTenant({ quotas: { runs } }), input) as Ledger;
}

const RUN_LIMITS: Readonly<Record<keyof NonNullable<TenantQuotas['runs']>, keyof QuotaLedgerSpec>> = {
  maxConcurrent: 'maxConcurrentRuns',
  maxQueued: 'maxQueuedRuns',
  createPerSecond: 'createPerSecond',
  createBurst: 'createBurst',
  priorityAgingSeconds: 'priorityAgingSeconds',
  preemption: 'preemption',
};

for (const [field, inLedger] of Object.entries(RUN_LIMITS)) {
  test(`runs.${field} goes into the ledger, and a ledger without it is not as wanted`, (t) => {
    const value = field === 'preemption' ? 'LowerPriority' : 7;
    const ledger = ledgerOf({ [field]: value });
    t.is(ledger.spec[inLedger], value);
    t.true(hasLimitsOf(ledger, ledger));
    t.false(hasLimitsOf(ledgerOf({}), ledger));
  });
}

const PRICE: Price = { currency: 'USD', runUnits: 11_500_000 };

test('a ledger has budgets of cost where its tenant has a price, and is not as wanted with another price, or none', (t) => {
  const cost = [{ window: 'month' as const, limit: '100' }];
  const tenant = makeTenant({ quotas: { cost } });
  const input = { totals: { hard: {}, missingClasses: [] }, namespaces: [], suspended: false };
  const ledgerAt = (price: Price | undefined) => desiredLedger(tenant, { ...input, price }) as Ledger;
  const priced = ledgerAt(PRICE);
  t.deepEqual(priced.spec.budgets, [{ unit: 'cost', window: 'month', limit: '100' }]);
  t.deepEqual(priced.spec.price, PRICE);
  t.false('budgets' in ledgerAt(undefined).spec || 'price' in ledgerAt(undefined).spec);
  t.true(hasLimitsOf(priced, ledgerAt({ ...PRICE })));
  for (const other of [undefined, { ...PRICE, runUnits: 12 }, { ...PRICE, currency: 'EUR' }])
    t.false(hasLimitsOf(ledgerAt(other), priced));
});

test('every quota that is set and not enforced is named, and none that is', (t) => {
  t.deepEqual(unenforcedQuotas(undefined), []);
  const enforced: TenantQuotas = {
    compute: { cpu: 1 },
    objects: { pods: 1 },
    gpus: [{ class: 'l4', count: 1 }],
    runs: { maxConcurrent: 1, maxQueued: 1, createPerSecond: 1, createBurst: 1, priorityAgingSeconds: 1 },
    runUnits: [{ window: 'hour', limit: 1 }],
    tokens: [{ window: 'minute', limit: '10k' }],
    cost: [],
  };
  t.deepEqual(unenforcedQuotas(enforced), []);
  const day = [{ window: 'day' as const, limit: '1' }];
  const all: TenantQuotas = { toolCallsPerMinute: 1, memoryBytes: '1Gi' };
  t.deepEqual(unenforcedQuotas(all), ['toolCallsPerMinute', 'memoryBytes']);
  t.true(lacksPrice({ cost: day }, undefined));
  t.false(lacksPrice({ cost: day }, PRICE));
  t.false(lacksPrice({ cost: [] }, undefined));
});
