// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { BudgetWindow } from '#crds/v1alpha1/budgets';
import { formatMicro, parseMicro } from '../metering/micro.ts';
import { usedIn } from '../quota/budgets.ts';
import { microOf } from '../quota/estimate.ts';
import { reservedOfBudgets } from '../tree/records.ts';
import { budgetLimits } from './quotas.ts';
import type { Ledger, Tenant } from './tenant.ts';
import type { Usage } from './usage.ts';

/** From this part of a budget on it is worth a remark, in percent. */
const NEARLY_PERCENT = 80n;

/** Use against every budget in its present window. */
export function budgetUsage(tenant: Tenant, ledger: Ledger | undefined, now: Date): readonly Usage[] {
  const reserved = reservedOfBudgets(ledger?.status);
  return budgetLimits(tenant.spec.quotas, ledger?.spec.price).map(({ unit, window, limit }) => ({
    name: `${unit}/${window}`,
    used: formatMicro(usedIn(ledger?.status?.usage, { unit, window }, now).used),
    reserved: formatMicro(reserved[unit]),
    limit: String(limit),
  }));
}

/**
 * When to tell that use of a budget has ended with its window, in milliseconds from now; infinite when nothing is used of any. The
 * hour ends for all tenants at once, so each tells of it a moment later, by its name: what is enforced waits for no telling.
 */
export function budgetsTurnMs(tenant: Tenant, ledger: Ledger | undefined, now: Date): number {
  const ends = budgetLimits(tenant.spec.quotas, ledger?.spec.price)
    .map((budget) => ({ ...usedIn(ledger?.status?.usage, budget, now), window: budget.window }))
    .filter(({ used }) => used > 0n)
    .map(({ endsMs, window }) => endsMs + spreadMs(tenant, window) - now.getTime());
  return Math.min(...ends, Infinity);
}

/** Milliseconds within which all tenants tell of the end of a window. */
const SPREAD_MS = { minute: 10_000, hour: 30_000, day: 30_000, month: 30_000 } as const;

function spreadMs({ metadata: { name } }: Tenant, window: BudgetWindow): number {
  const part = createHash('sha256').update(name).digest().readUInt16BE(0) / 2 ** 16;
  return Math.floor(part * SPREAD_MS[window]);
}

/** Names of budgets that are used up, or nearly so. That of a minute is no news for long: each minute would tell it and take it back. */
export function nearlyUsed(usage: readonly Usage[]): readonly string[] {
  return usage
    .filter(({ name, used, limit }) => {
      if (name.endsWith('/minute')) return false;
      const most = microOf(limit) ?? 0n;
      return most > 0n && parseMicro(used) * 100n >= most * NEARLY_PERCENT;
    })
    .map(({ name }) => name);
}
