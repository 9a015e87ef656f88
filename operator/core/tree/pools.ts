// SPDX-License-Identifier: Apache-2.0
import type { CallsBudget } from '#crds/v1alpha1/agent-calls';
import { BUDGET_UNITS, type BudgetUnit, TIMED_UNITS, type TimedUnit } from '#crds/v1alpha1/budgets';
import type { Price } from '#crds/v1alpha1/price';
import type { Reservation, ReservedCall } from '#crds/v1alpha1/quota-ledger';
import type { Agent } from '../agent/agent.ts';
import { formatMicro, parseMicro } from '../metering/micro.ts';
import { chargeAhead } from '../metering/price.ts';
import type { Candidate, Waiting } from '../quota/admit.ts';
import { larger } from '../quota/amounts.ts';
import type { Reserves } from '../quota/budgets.ts';
import { type EstimateContext, estimateOf, microOf, reservesFor } from '../quota/estimate.ts';
import { heldBy, type Hold, holdOf, type Overspending, overspendingOf } from '../quota/spending.ts';
import type { Run } from '../run/run.ts';
import type { Ledger } from '../tenant/tenant.ts';
import type { Forest } from './forest.ts';
import { exhausted, reservedByOthers } from './obstacles.ts';
import type { TreeRecords } from './records.ts';

/** What pools are kept by. */
export interface PoolInput {
  readonly forest: Forest;
  readonly records: TreeRecords;
  readonly runs: ReadonlyMap<string, Run>;
  /** What the tenant pays. */
  readonly price?: Price | undefined;
  readonly now: Date;
}

/** Runs that are paused for what they have used of their pool, and when that may be so of another, in milliseconds from now. */
export interface PoolOverspending {
  readonly paused: ReadonlySet<string>;
  readonly afterMs: number;
}

/**
 * What Runs above others have reserved for those below them, while admission goes through the queue. Nobody waits here for somebody
 * who may wait for him: only while another Run of the tree is under way that calls nobody, and so ends by itself.
 */
export class Pools {
  readonly #input: PoolInput;
  /** By unit and uid, of those below others. */
  readonly #holds: Readonly<Record<TimedUnit, Map<string, Hold>>> = { runUnits: new Map(), cost: new Map() };

  constructor(input: PoolInput) {
    this.#input = input;
    const { forest, runs, now } = input;
    for (const below of forest.trees.values()) {
      for (const one of below) {
        const run = runs.get(one.uid);
        for (const unit of TIMED_UNITS) this.#holds[unit].set(one.uid, holdOf(one, { run, now, unit }));
      }
    }
  }

  /** Where more is held than was reserved for a tree: those of it that have used more than they had reserved. */
  overspending(): PoolOverspending {
    const paused = new Set<string>();
    let afterMs = Infinity;
    for (const root of this.#input.forest.trees.keys()) {
      for (const unit of TIMED_UNITS) {
        const verdict = this.#overspendingIn(root, unit);
        for (const uid of verdict?.paused.keys() ?? []) paused.add(uid);
        afterMs = Math.min(afterMs, verdict?.afterMs ?? Infinity);
      }
    }
    return { paused, afterMs };
  }

  #overspendingIn(root: string, unit: TimedUnit): Overspending | undefined {
    const limit = this.#limitOf(root, unit);
    if (limit === undefined) return undefined;
    const below = this.#input.forest.below(root);
    const holds = below.map(({ uid }) => this.#holds[unit].get(uid)).filter((one) => one !== undefined);
    const left = limit - this.#used(root, unit) - this.#held(root, unit);
    return overspendingOf(holds, [{ window: 'minute', left }]);
  }

  /** What of its pool `candidate` waits for, or is refused for. */
  obstacleTo({ reserves = {} }: Candidate, { root, rootName }: ReservedCall): Waiting | undefined {
    for (const unit of BUDGET_UNITS) {
      const limit = this.#limitOf(root, unit);
      if (limit === undefined) continue;
      const need = parseMicro(reserves[unit] ?? '0');
      const most = limit - this.#used(root, unit);
      const left = most - this.#held(root, unit);
      if (need <= left) continue;
      const short = { root: rootName, unit, need, left: larger(left, 0n) };
      return need <= most && this.#hasLeaf(root) ? reservedByOthers(short) : exhausted(short);
    }
    return undefined;
  }

  /** What a Run reserves of its pool. */
  reservesOf(
    run: Run,
    agent: Agent,
    { root, context }: { readonly root: string; readonly context: EstimateContext },
  ): Reserves {
    const units = BUDGET_UNITS.filter((unit) => this.#limitOf(root, unit) !== undefined);
    if (units.length === 0) return {};
    const { price } = this.#input;
    const priced = price === undefined ? context : { ...context, price };
    return reservesFor(units, estimateOf(run, agent, priced), price);
  }

  /** Who calls others may wait for one of these, which waits for who asks. */
  #hasLeaf(root: string): boolean {
    return this.#input.forest.below(root).some(({ levels }) => levels === undefined);
  }

  #limitOf(root: string, unit: BudgetUnit): bigint | undefined {
    const limit = this.#input.forest.find(root)?.pool?.[unit];
    return limit === undefined ? undefined : parseMicro(limit);
  }

  #used(root: string, unit: BudgetUnit): bigint {
    return parseMicro(this.#input.records.get(root)?.[unit] ?? '0');
  }

  #held(root: string, unit: BudgetUnit): bigint {
    return this.#input.forest.below(root).reduce((sum, one) => sum + this.#heldOf(one, unit), 0n);
  }

  /** Who is admitted in this pass has no hold yet, and has used nothing. */
  #heldOf(one: Reservation, unit: BudgetUnit): bigint {
    const hold = unit === 'tokens' ? undefined : this.#holds[unit].get(one.uid);
    return hold === undefined ? parseMicro(one[unit] ?? '0') : heldBy(hold);
  }
}

/** What an attempt of a Run reserves for those below it; undefined where nothing is said, and the tenant has no budgets. */
export function poolOf(run: Run, agent: Agent, { spec }: Ledger): Reservation['pool'] {
  const declared = { ...agent.spec.calls?.budget, ...run.spec.callsBudget };
  const budgeted = new Set((spec.budgets ?? []).map(({ unit }) => unit));
  const amounts = BUDGET_UNITS.flatMap((unit) => {
    // Without a price nobody knows what anything costs.
    if (unit === 'cost' && spec.price === undefined) return [];
    const said = microOf(declared[unit]) ?? (unit === 'cost' ? costOfPool(declared, spec.price) : undefined);
    const micro = said ?? (budgeted.has(unit) ? 0n : undefined);
    return micro === undefined ? [] : [[unit, formatMicro(micro)] as const];
  });
  return amounts.length === 0 ? undefined : Object.fromEntries(amounts);
}

/** What the run units and tokens cost that are reserved; undefined where neither is said. */
function costOfPool({ runUnits, tokens }: CallsBudget, price: Price | undefined): bigint | undefined {
  if (runUnits === undefined && tokens === undefined) return undefined;
  return chargeAhead(price, { runUnits: microOf(runUnits) ?? 0n, tokens: microOf(tokens) ?? 0n });
}
