// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import type { TenantStatus } from '#crds/v1alpha1/tenant';
import { monthCost, monthSummary } from '../metering/history.ts';
import { defined, type KubeObject } from '../object.ts';
import { isTakingOver } from '../quota/handover.ts';
import { formatQuantity, parseQuantity, quantityFormat } from '../quota/quantity.ts';
import { canonicalQuantity } from './quotas.ts';
import type { Ledger, Tenant, TenantObserved } from './tenant.ts';

/** Use against one quota. */
export type Usage = NonNullable<TenantStatus['usage']>[number];

/** Name under which waiting Runs are told in the usage. */
export const RUNS_QUEUED = 'runs.queued';

/** Use against every enforced quota of the tenant but its budgets, sorted by name. */
export function tenantUsage(tenant: Tenant, observed: TenantObserved): readonly Usage[] {
  return [
    ...nativeUsage(tenant, observed.resourceQuotas),
    ...gpuUsage(tenant, observed.ledger),
    ...runUsage(tenant, observed),
  ].toSorted(byName);
}

/** The order in which usage is told. */
export function byName(a: Usage, b: Usage): number {
  return a.name < b.name ? -1 : 1;
}

function nativeUsage(tenant: Tenant, resourceQuotas: readonly KubeObject[]): readonly Usage[] {
  const { compute, objects } = tenant.spec.quotas ?? {};
  return Object.entries({ ...compute, ...objects }).map(([name, limit]) => ({
    name,
    used: sumOfUsed(resourceQuotas, name, limit),
    limit: canonicalQuantity(limit),
  }));
}

function sumOfUsed(resourceQuotas: readonly KubeObject[], name: string, like: string | number): string {
  const sum = resourceQuotas
    .map((one) => parseQuantity(quotaStatus(one).used?.[name] ?? '0') ?? 0n)
    .reduce((total, milli) => total + milli, 0n);
  return formatQuantity(sum, quantityFormat(like));
}

/** Status of a ResourceQuota, as far as it is there. */
export function quotaStatus(resourceQuota: KubeObject): {
  readonly hard?: Readonly<Record<string, string>>;
  readonly used?: Readonly<Record<string, string>>;
} {
  return resourceQuota['status'] ?? {};
}

function gpuUsage(tenant: Tenant, ledger: Ledger | undefined): readonly Usage[] {
  return (tenant.spec.quotas?.gpus ?? []).map(({ class: name, count }) => ({
    name: `gpus/${name}`,
    used: String(gpusInUse(ledger, name)),
    limit: String(count),
  }));
}

function inUse(ledger: Ledger | undefined): readonly Reservation[] {
  return (ledger?.status?.reservations ?? []).filter((one) => !isTakingOver(one));
}

function gpusInUse(ledger: Ledger | undefined, name: string): number {
  return inUse(ledger)
    .filter((one) => one.gpuClass === name)
    .reduce((sum, { gpus = 0 }) => sum + gpus, 0);
}

function runUsage(tenant: Tenant, { ledger, queuedRuns }: TenantObserved): readonly Usage[] {
  const { maxConcurrent, maxQueued } = tenant.spec.quotas?.runs ?? {};
  const concurrent = String(runsInUse(ledger));
  return [
    ...(maxConcurrent === undefined
      ? []
      : [{ name: 'runs.concurrent', used: concurrent, limit: String(maxConcurrent) }]),
    ...(maxQueued === undefined
      ? []
      : [{ name: RUNS_QUEUED, used: String(queuedRuns), limit: String(maxQueued) }]),
  ];
}

function runsInUse(ledger: Ledger | undefined): number {
  return inUse(ledger).length;
}

function monthOf({ spec, status }: Ledger): { runUnits?: string; cost?: string } {
  const usage = status?.usage;
  return defined({ runUnits: monthSummary(usage), cost: monthCost(usage, spec.price?.currency) });
}

/** `3/20` for Runs and GPUs; without a limit only what is in use, and nothing for GPUs that are not in the quotas. */
export function usageSummary(
  tenant: Tenant,
  ledger: Ledger | undefined,
): { runs: string; gpus?: string; runUnits?: string; cost?: string } {
  const { gpus = [], runs } = tenant.spec.quotas ?? {};
  const used = String(runsInUse(ledger));
  const taken = gpus.reduce((sum, one) => sum + gpusInUse(ledger, one.class), 0);
  const allowed = gpus.reduce((sum, one) => sum + one.count, 0);
  return {
    runs: runs?.maxConcurrent === undefined ? used : `${used}/${runs.maxConcurrent}`,
    ...(gpus.length > 0 && { gpus: `${taken}/${allowed}` }),
    ...(ledger && monthOf(ledger)),
  };
}
