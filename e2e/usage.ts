// SPDX-License-Identifier: Apache-2.0
import type { LedgerWindowUse, UsageHistory, WindowUse } from '#crds/v1alpha1/usage-history';
import type { UsageRecordSpec } from '#crds/v1alpha1/usage-record';
import type { User } from './user.ts';

/** What scenarios read of a QuotaLedger. */
export interface LedgerUsage {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status?: { readonly reservations?: readonly unknown[]; readonly usage?: UsageHistory };
}

/** What they read of a UsageRecord. */
export interface RecordedUsage {
  readonly metadata: { readonly name: string };
  readonly spec: UsageRecordSpec;
}

/** What a tenant has used; a window may be there in parts. */
export interface WholeUsage {
  readonly windows: readonly WindowUse[];
  readonly tiers: UsageHistory['tiers'];
}

/** What a ledger, and its record which was read after it, tell together. */
export function wholeUsage(ledger: LedgerUsage | undefined, record: RecordedUsage | undefined): WholeUsage {
  const { windows = [], tiers = [] } = ledger?.status?.usage ?? {};
  const { windows: past = [], merged = 0, ledgerUID } = record?.spec ?? {};
  const isTaken = ({ sealed = Infinity }: LedgerWindowUse) =>
    ledgerUID === ledger?.metadata.uid && sealed <= merged;
  return { windows: [...past, ...windows.filter((one) => !isTaken(one))], tiers };
}

/** What a tenant has used, as one who may read that sees it. */
export async function usageOf(user: User, tenant: string): Promise<WholeUsage> {
  const ledger = await user.sees<LedgerUsage>(`quotaledger/${tenant}`);
  return wholeUsage(ledger, await user.sees<RecordedUsage>(`usagerecord/${tenant}`));
}
