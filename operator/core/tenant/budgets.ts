// SPDX-License-Identifier: Apache-2.0
import { formatMicro, parseMicro } from '../metering/micro.ts';
import { usedIn } from '../quota/budgets.ts';
import { microOf } from '../quota/estimate.ts';
import { budgetLimits } from './quotas.ts';
import type { Ledger, Tenant } from './tenant.ts';
import type { Usage } from './usage.ts';

/** From this part of a budget on it is worth a remark, in percent. */
const NEARLY_PERCENT = 80n;

/** Use against every budget in its present window. */
export function budgetUsage(tenant: Tenant, ledger: Ledger | undefined, now: Date): readonly Usage[] {
  return budgetLimits(tenant.spec.quotas).map(({ unit, window, limit }) => {
    const reserved = (ledger?.status?.reservations ?? []).reduce(
      (sum, one) => sum + parseMicro(one[unit] ?? '0'),
      0n,
    );
    return {
      name: `${unit}/${window}`,
      used: formatMicro(usedIn(ledger?.status?.usage, { unit, window }, now).used),
      reserved: formatMicro(reserved),
      limit: String(limit),
    };
  });
}

/** When use of a budget ends with its window, in milliseconds from now; infinite when nothing is used of any. */
export function budgetsTurnMs(tenant: Tenant, ledger: Ledger | undefined, now: Date): number {
  const ends = budgetLimits(tenant.spec.quotas)
    .map((budget) => usedIn(ledger?.status?.usage, budget, now))
    .filter(({ used }) => used > 0n)
    .map(({ endsMs }) => endsMs - now.getTime());
  return Math.min(...ends, Infinity);
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
