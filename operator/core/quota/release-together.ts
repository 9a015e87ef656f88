// SPDX-License-Identifier: Apache-2.0
import type { QuotaLedgerStatus, Reservation } from '#crds/v1alpha1/quota-ledger';
import { isDeepEqual } from '../compare.ts';
import { type Plan, statusOnly } from '../plan.ts';
import { isFinished, type Run } from '../run/run.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { wantsQuota } from './candidates.ts';
import { runsByUid } from './runs-by-uid.ts';

/** How long after the end of its Run a reservation may stay that nobody needs; instants are whole seconds. */
const TOGETHER_MS = 4000;
/** That for each reservation that there is, if it is more: each is written again by every write. */
const TOGETHER_MS_PER_RESERVATION = 100;
const LONGEST_TOGETHER_MS = 10_000;

/**
 * The plan of a ledger, put off where all it does is to give reservations back that nobody waits for: those of Runs that end soon
 * after each other are given back, and counted, by one write. Nothing is decided on what is put off: a pass in which somebody wants quota, or
 * anything else has changed, writes at once. Devices never wait, since other tenants may.
 */
export function releaseTogether(
  ledger: Ledger,
  plan: Plan<QuotaLedgerStatus>,
  { runs, now }: { readonly runs: readonly Run[]; readonly now: Date },
): Plan<QuotaLedgerStatus> {
  const { status } = ledger;
  if (status === undefined || !changesReservationsAlone(status, plan)) return plan;
  const kept = new Set(plan.status.reservations?.map(({ uid }) => uid));
  const { reservations: before = [] } = status;
  const released = before.filter(({ uid }) => !kept.has(uid));
  // One that was lost is put in, or one is to be paused: that counts at once.
  const known = new Set(before);
  if (plan.status.reservations?.every((one) => known.has(one)) !== true) return plan;
  if (runs.some((run) => wantsQuota(run) && !kept.has(run.metadata.uid ?? ''))) return plan;
  const byUid = runsByUid(runs);
  const togetherMs = Math.min(
    Math.max(TOGETHER_MS, before.length * TOGETHER_MS_PER_RESERVATION),
    LONGEST_TOGETHER_MS,
  );
  const afterMs = Math.min(...released.map((one) => leftMs(one, byUid.get(one.uid), { togetherMs, now })));
  if (!(afterMs > 0 && afterMs < Infinity)) return plan;
  return statusOnly(status, { kind: 'requeueAfter', afterMs, why: 'to give back with others' });
}

/** Whether a plan takes reservations out, with what their attempts have used, and does nothing else. */
function changesReservationsAlone(before: QuotaLedgerStatus, plan: Plan<QuotaLedgerStatus>): boolean {
  const effects = [...plan.apply, ...(plan.replace ?? []), ...plan.create, ...plan.remove, ...plan.events];
  if (effects.length > 0 || plan.result.kind !== 'done') return false;
  return isDeepEqual(rest(before), rest(plan.status));
}

/** What a ledger holds beside reservations and what was counted of them, and of Runs that call each other. */
function rest(status: QuotaLedgerStatus): object {
  const { reservations: _, usage: __, trees: ___, ...others } = status;
  return others;
}

/** How long a reservation may still stay, in milliseconds; no time where that is not known. */
function leftMs(
  { gpuClass }: Reservation,
  run: Run | undefined,
  { togetherMs, now }: { readonly togetherMs: number; readonly now: Date },
): number {
  if (gpuClass !== undefined || run === undefined || !isFinished(run)) return 0;
  const left = Date.parse(run.status?.finishedAt ?? '') + togetherMs - now.getTime();
  // A clock that went back must not keep it.
  return left > 0 && left <= togetherMs ? left : 0;
}
