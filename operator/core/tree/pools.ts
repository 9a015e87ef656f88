// SPDX-License-Identifier: Apache-2.0
import { BUDGET_UNITS, type BudgetUnit, TIMED_UNITS, type TimedUnit } from '#crds/v1alpha1/budgets';
import { type Price, PRICED, type PricedUnit } from '#crds/v1alpha1/price';
import type { Reservation, ReservedCall } from '#crds/v1alpha1/quota-ledger';
import type { Agent } from '../agent/agent.ts';
import { formatMicro, parseMicro } from '../metering/micro.ts';
import { chargeAhead, priceDigest } from '../metering/price.ts';
import type { Candidate, Waiting } from '../quota/admit.ts';
import { larger } from '../quota/amounts.ts';
import type { Reserves } from '../quota/budgets.ts';
import { type EstimateContext, estimateOf, microOf, reservesFor } from '../quota/estimate.ts';
import { heldBy, type Hold, holdOf, type Overspending, overspendingOf } from '../quota/spending.ts';
import { priceAtStart } from '../run/calls.ts';
import type { Run } from '../run/run.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { callsOf, type Forest } from './forest.ts';
import { exhausted, reservedByOthers } from './obstacles.ts';
import type { TreeRecords } from './records.ts';

/** What pools are kept by. */
export interface PoolInput {
  readonly forest: Forest;
  readonly records: TreeRecords;
  readonly runs: ReadonlyMap<string, Run>;
  /** What the tenant pays from now on. */
  readonly price?: Price | undefined;
  readonly now: Date;
}

/** Where a Run is called, and what it reserves of budgets. */
export interface Reserving {
  readonly call: ReservedCall;
  readonly context: EstimateContext;
  readonly others?: Reserves | undefined;
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
  /** By digest of the price: what is worked out for one context serves all Runs of it. */
  readonly #priced = new Map<string, EstimateContext>();

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

  /** What a Run reserves of its pool, beside what it reserves of budgets anyhow; cost by the price that it will pay, that of its caller. */
  reservesOf(run: Run, agent: Agent, { call, context, others = {} }: Reserving): Reserves {
    const { cost, priced: _, ...rest } = others;
    const isReserved = (unit: BudgetUnit) =>
      this.#limitOf(call.root, unit) !== undefined || (unit === 'cost' && cost !== undefined);
    const units = BUDGET_UNITS.filter(isReserved);
    if (units.length === 0) return others;
    const parent = this.#input.runs.get(call.parent);
    const price = priceAtStart({ call }, { parent, price: this.#input.price });
    return {
      ...rest,
      ...reservesFor(units, estimateOf(run, agent, this.#contextWith(price, context)), price),
    };
  }

  #contextWith(price: Price | undefined, context: EstimateContext): EstimateContext {
    if (price === undefined) return context;
    const digest = priceDigest(price);
    const priced = this.#priced.get(digest) ?? { ...context, price };
    this.#priced.set(digest, priced);
    return priced;
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
  const most = (unit: BudgetUnit) => microOf(declared[unit]) ?? (budgeted.has(unit) ? 0n : undefined);
  const [runUnits, tokens] = [most('runUnits'), most('tokens')];
  const { price } = spec;
  const { maxTotal: calls } = callsOf(agent);
  // Without a price nobody knows what anything costs.
  const cost =
    price &&
    (microOf(declared.cost) ??
      (budgeted.has('cost') ? worthOf(price, { runUnits, tokens, calls }) : undefined));
  const amounts = Object.entries({ runUnits, tokens, cost }).flatMap(([unit, micro]) =>
    micro === undefined ? [] : [[unit, formatMicro(micro)] as const],
  );
  return amounts.length === 0 ? undefined : Object.fromEntries(amounts);
}

interface Worth {
  readonly runUnits: bigint | undefined;
  readonly tokens: bigint | undefined;
  /** Runs that there may be. */
  readonly calls: number;
}

/**
 * What run units and tokens cost that are reserved, if these bound all that has a price; else nothing. What each of so many Runs costs is
 * rounded by itself, by half a millionth: so much more it may be.
 */
function worthOf(price: Price, { runUnits, tokens, calls }: Worth): bigint {
  const bounds: Readonly<Record<PricedUnit, bigint | undefined>> = {
    runUnits,
    inputTokens: tokens,
    outputTokens: tokens,
    toolCalls: undefined,
    sandboxCalls: undefined,
  };
  if (PRICED.some((one) => bounds[one] === undefined && (price[one] ?? 0) > 0)) return 0n;
  const exact = chargeAhead(price, { runUnits: runUnits ?? 0n, tokens: tokens ?? 0n });
  return exact === 0n ? 0n : exact + BigInt(Math.ceil((calls + 1) / 2));
}
