// SPDX-License-Identifier: Apache-2.0
import { BUDGET_UNITS, type BudgetLimit } from '#crds/v1alpha1/budgets';
import type { GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { Price } from '#crds/v1alpha1/price';
import type { TenantQuotas } from '#crds/v1alpha1/tenant-quotas';
import { isDeepEqual } from '../compare.ts';
import { defined, type KubeObject } from '../object.ts';
import { deviceKey } from '../quota/demand.ts';
import { formatQuantity, parseQuantity, quantityFormat } from '../quota/quantity.ts';
import { type Ledger, ownedMetadata, type Tenant, uidOf } from './tenant.ts';

/** Totals of the native quotas of a tenant, and what is wrong with them. */
export interface NativeTotals {
  /** By key of ResourceQuota; canonical quantities. */
  readonly hard: Readonly<Record<string, string>>;
  /** GPU classes that the quotas name and that do not exist. */
  readonly missingClasses: readonly string[];
}

/**
 * The totals that ResourceQuotas can hold: compute, objects, and GPUs summed over the classes that share one
 * resource (H100 and A100 may both be `nvidia.com/gpu`; which of them it is, only the ledger can tell).
 */
export function nativeTotals(
  quotas: TenantQuotas | undefined,
  classes: ReadonlyMap<string, GPUClassSpec>,
): NativeTotals {
  const { compute, objects, gpus = [] } = quotas ?? {};
  const devices = new Map<string, number>();
  const missingClasses: string[] = [];
  for (const { class: name, count } of gpus) {
    const spec = classes.get(name);
    const key = spec && deviceKey(spec);
    if (key === undefined) missingClasses.push(name);
    else devices.set(key, (devices.get(key) ?? 0) + count);
  }
  const amounts = Object.entries({ ...compute, ...objects }).map(
    ([key, value]) => [key, canonicalQuantity(value)] as const,
  );
  const counts = [...devices].map(([key, count]) => [key, String(count)] as const);
  const hard = [...amounts, ...counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { hard: Object.fromEntries(hard), missingClasses: missingClasses.toSorted() };
}

/** A quantity as the API server writes it, so that what we apply compares equal with what comes back. */
export function canonicalQuantity(value: string | number): string {
  const milli = parseQuantity(value);
  return milli === undefined ? String(value) : formatQuantity(milli, quantityFormat(value));
}

/**
 * Fields of the quotas that are set and that this version records but does not enforce. They are told to the user and
 * never counted as enforced.
 */
export function unenforcedQuotas(quotas: TenantQuotas | undefined): readonly string[] {
  if (quotas === undefined) return [];
  const { toolCallsPerMinute, memoryBytes } = quotas;
  const set: Readonly<Record<string, boolean>> = {
    toolCallsPerMinute: toolCallsPerMinute !== undefined,
    memoryBytes: memoryBytes !== undefined,
  };
  return Object.keys(set).filter((field) => set[field] === true);
}

/** Whether there are budgets of cost, and no price to hold them by. */
export function lacksPrice(quotas: TenantQuotas | undefined, price: Price | undefined): boolean {
  return price === undefined && (quotas?.cost ?? []).length > 0;
}

/** The budgets of a tenant that are enforced, as its ledger has them: those of cost where it has a price. */
export function budgetLimits(
  quotas: TenantQuotas | undefined,
  price: Price | undefined,
): readonly BudgetLimit[] {
  const units = BUDGET_UNITS.filter((unit) => unit !== 'cost' || price !== undefined);
  return units.flatMap((unit) =>
    (quotas?.[unit] ?? []).map(({ window, limit }) => ({ unit, window, limit: canonicalQuantity(limit) })),
  );
}

/** Whether Services of type LoadBalancer are within the quotas. */
export function hasLoadBalancers(quotas: TenantQuotas | undefined): boolean {
  const allowed = quotas?.objects?.['services.loadbalancers'];
  return allowed !== undefined && String(allowed) !== '0';
}

/** Whether `ledger` has the limits of `desired`, and none besides. What it says of namespaces is not compared. */
export function hasLimitsOf(ledger: Ledger, desired: KubeObject): boolean {
  return isDeepEqual(limitsOf(ledger.spec), limitsOf(desired['spec'] as Ledger['spec']));
}

function limitsOf({ hard = {}, gpus = [], budgets = [], price, ...others }: Ledger['spec']): unknown {
  const devices = Object.fromEntries(gpus.map((gpu) => [gpu.class, gpu.count]));
  const { maxConcurrentRuns, maxQueuedRuns, createPerSecond, createBurst } = others;
  const { priorityAgingSeconds, preemption } = others;
  return {
    hard,
    devices,
    budgets: Object.fromEntries(budgets.map(({ unit, window, limit }) => [`${unit}/${window}`, limit])),
    price,
    maxConcurrentRuns,
    maxQueuedRuns,
    createPerSecond,
    createBurst,
    priorityAgingSeconds,
    preemption,
  };
}

/** What the ledger of a tenant follows from. */
export interface LedgerInput {
  readonly totals: NativeTotals;
  /** Namespaces that share the totals. */
  readonly namespaces: readonly string[];
  readonly suspended: boolean;
  /** What the tenant pays, where the platform says so. */
  readonly price?: Price | undefined;
}

/** The QuotaLedger of a tenant. The ledger controller deals its totals out to the namespaces. */
export function desiredLedger(tenant: Tenant, input: LedgerInput): KubeObject {
  const { totals, namespaces, suspended, price } = input;
  const { gpus = [], runs = {} } = tenant.spec.quotas ?? {};
  const budgets = budgetLimits(tenant.spec.quotas, price);
  return {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    metadata: ownedMetadata(tenant, { name: tenant.metadata.name }),
    spec: {
      tenantUID: uidOf(tenant),
      suspended,
      // Left out when empty: an apply of `{}` over the last key gives null, which the API server then finds invalid.
      ...(Object.keys(totals.hard).length > 0 && { hard: totals.hard }),
      ...(gpus.length > 0 && { gpus }),
      ...(budgets.length > 0 && { budgets }),
      ...defined({
        price,
        maxConcurrentRuns: runs.maxConcurrent,
        maxQueuedRuns: runs.maxQueued,
        createPerSecond: runs.createPerSecond,
        createBurst: runs.createBurst,
        priorityAgingSeconds: runs.priorityAgingSeconds,
        preemption: runs.preemption,
      }),
      namespaces: namespaces.toSorted(),
    },
  };
}
