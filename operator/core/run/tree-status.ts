// SPDX-License-Identifier: Apache-2.0
import { BUDGET_UNITS, type BudgetUnit } from '#crds/v1alpha1/budgets';
import type { Reservation, TreeRecord } from '#crds/v1alpha1/quota-ledger';
import type { TreeStatus } from '#crds/v1alpha1/run-calls';
import { isDeepEqual } from '../compare.ts';
import { toInstant } from '../conditions.ts';
import { keptForMs } from '../figures.ts';
import { formatMicro, parseMicro } from '../metering/micro.ts';
import { defined } from '../object.ts';
import type { RunPlan } from './observed.ts';
import { isActive, phaseOf, type Run } from './run.ts';
import { sooner } from './starting-deadline.ts';

/** Runs below one that are still there, by where they are. */
export type TreeCounts = Pick<TreeStatus, 'queued' | 'active' | 'succeeded' | 'failed' | 'cancelled'>;

/** What was seen of the Runs below one. */
export interface TreeObserved {
  /** What those have used whose attempts have ended, as the ledger has it. */
  readonly record: TreeRecord;
  /** What the Run has reserved for them; undefined when its own attempt is over. */
  readonly pool: Reservation['pool'];
  /** Reservations of those that are under way. */
  readonly held: readonly Reservation[];
  /** Asked for only when they are to be told: there may be thousands. */
  readonly counts: () => TreeCounts;
}

type Figures = Omit<TreeStatus, 'updatedAt'>;

/** Counts `runs`, all those below one. */
export function countTree(runs: readonly Run[]): TreeCounts {
  const count = (phase: string) => runs.filter((run) => phaseOf(run) === phase).length;
  return {
    queued: count('Queued'),
    active: runs.filter(isActive).length,
    succeeded: count('Succeeded'),
    failed: count('Failed'),
    cancelled: count('Cancelled'),
  };
}

/**
 * `plan` with what is to be told of the Runs below: with what is written anyhow, else every few seconds at most, and at once when
 * none of them is under way any more, since the ledger forgets them when that is told.
 */
export function withTree(
  run: Run,
  {
    plan,
    observed,
  }: { readonly plan: RunPlan; readonly observed: { readonly tree?: TreeObserved | undefined } },
  now: Date,
): RunPlan {
  const { tree } = observed;
  if (tree === undefined || plan.status === undefined) return plan;
  const told = run.status?.tree;
  const isDue = plan.status !== run.status || isFinal(tree, run);
  const waitMs = keptForMs({ at: isDue ? undefined : told?.updatedAt, isSame: false }, now);
  if (waitMs > 0) return sooner(plan, waitMs);
  const figures = figuresOf(tree, told);
  if (told !== undefined && isDeepEqual({ ...figures, updatedAt: told.updatedAt }, told)) return plan;
  return { ...plan, status: { ...plan.status, tree: { ...figures, updatedAt: toInstant(now) } } };
}

/** Whether nobody below is under way any more, and that is still to be told. */
function isFinal({ held, record }: TreeObserved, run: Run): boolean {
  return held.length === 0 && !isTold(record, run);
}

/** Whether a Run tells what the ledger remembers of those below it. */
export function isTold(record: TreeRecord, { status }: Run): boolean {
  const { tree } = status ?? {};
  if (tree === undefined) return false;
  const isSame = (['attempt', 'calls', 'depth'] as const).every((field) => tree[field] === record[field]);
  return isSame && BUDGET_UNITS.every((unit) => (tree[unit]?.used ?? '0') === (record[unit] ?? '0'));
}

function figuresOf({ record, pool, held, counts }: TreeObserved, told: TreeStatus | undefined): Figures {
  const { attempt, calls, depth } = record;
  const isSame = told?.attempt === attempt;
  const amountsOf = (unit: BudgetUnit): Figures['runUnits'] => {
    const limit = pool === undefined && isSame ? told[unit]?.limit : pool?.[unit];
    const used = record[unit] ?? '0';
    const reserved = held.reduce((sum, one) => sum + parseMicro(one[unit] ?? '0'), 0n);
    const left = limit && leftOf(parseMicro(limit) - parseMicro(used) - reserved);
    return { ...defined({ limit, left }), used, reserved: formatMicro(reserved) };
  };
  const isPaid = [record.cost, pool?.cost, isSame ? told.cost : undefined].some((one) => one !== undefined);
  return {
    attempt,
    calls,
    depth,
    ...counts(),
    runUnits: amountsOf('runUnits'),
    tokens: amountsOf('tokens'),
    ...(isPaid && { cost: amountsOf('cost') }),
  };
}

function leftOf(micro: bigint): string {
  return formatMicro(micro > 0n ? micro : 0n);
}
