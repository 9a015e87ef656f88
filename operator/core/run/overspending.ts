// SPDX-License-Identifier: Apache-2.0
import type { BudgetWindow, TimedUnit } from '#crds/v1alpha1/budgets';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { RUN_CALL_REASONS } from '#crds/v1alpha1/run-calls';
import { windowEndMs, windowStart } from '../metering/history.ts';
import { UNIT_WORDS, windowPhrase } from '../quota/budgets.ts';
import type { RunObserved } from './observed.ts';
import type { Run } from './run.ts';
import type { Cause } from './status.ts';

/**
 * Why a Run is paused that has used more than it had reserved of a budget that is used up; undefined while it may go on. Only what
 * the ledger says of the very reservation that it was admitted by: one that is seen late speaks of an attempt that is over.
 */
export function overspending(
  run: Run,
  { reservation, tenant }: Pick<RunObserved, 'reservation' | 'tenant'>,
  now: Date,
): Cause | undefined {
  const window = overspentWindow(run, reservation);
  if (window === undefined) return undefined;
  if (window === 'tree') return TREE_OVERSPENT;
  const unit = reservation?.overspentUnit ?? 'runUnits';
  const which = budgetOf(tenant, window, unit);
  const phrase = windowPhrase(window, windowEndMs(window, windowStart(window, now.toISOString())));
  return {
    reason: RUN_REASONS.BudgetExhausted,
    message: `paused, since the tenant's ${which} ${phrase} (quotas.${unit}) are used up, and it has used more than it had reserved; it goes back to the queue, where it reserves twice what it has used, and spends no retry`,
  };
}

const TREE_OVERSPENT: Cause = {
  reason: RUN_CALL_REASONS.TreeBudgetExhausted,
  message:
    'paused, since what is reserved for Runs that call each other is used up (callsBudget of the Run above all, calls.budget of its Agent), and it has used more than it had reserved',
};

function overspentWindow(
  run: Run,
  reservation: RunObserved['reservation'],
): BudgetWindow | 'tree' | undefined {
  const serial = run.status?.usage?.open?.reservation;
  return serial !== undefined && reservation?.serial === serial ? reservation.overspent : undefined;
}

function budgetOf(tenant: RunObserved['tenant'], window: BudgetWindow, unit: TimedUnit): string {
  const budget = tenant?.spec.quotas?.[unit]?.find((one) => one.window === window);
  return budget === undefined ? UNIT_WORDS[unit] : `${budget.limit} ${UNIT_WORDS[unit]}`;
}
