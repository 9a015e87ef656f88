// SPDX-License-Identifier: Apache-2.0
import {
  BUDGET_UNITS,
  type BudgetLimit,
  type BudgetUnit,
  type BudgetWindow,
  TIMED_UNITS,
  type TimedUnit,
} from '#crds/v1alpha1/budgets';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { UsageHistory } from '#crds/v1alpha1/usage-history';
import { toInstant } from '../conditions.ts';
import { windowEndMs, windowStart } from '../metering/history.ts';
import { formatMicro, parseMicro } from '../metering/micro.ts';
import type { Run } from '../run/run.ts';
import type { Ledger } from '../tenant/tenant.ts';
import type { Candidate, Waiting } from './admit.ts';
import { type RunContext, sourceOf } from './candidates.ts';
import { smaller } from './amounts.ts';
import { type EstimateContext, estimateOf, microOf, reservesFor, tokenMicros } from './estimate.ts';
import { heldOfBudgets, type Holds, type TreeRecords } from '../tree/records.ts';
import { runsByUid } from './runs-by-uid.ts';
import { holdOf, type Overspending, overspendingOf } from './spending.ts';

/** What reservations hold of budgets. */
export type Reserves = Pick<Reservation, BudgetUnit | 'priced'>;

/** What budgets are kept by. */
export interface BudgetInput {
  readonly ledger: Ledger;
  /** With the attempts whose reservations are not held any more. */
  readonly usage: UsageHistory | undefined;
  readonly held: readonly Reservation[];
  readonly runs: readonly Run[];
  readonly context: RunContext;
  /** What Runs that others call have used. */
  readonly trees?: TreeRecords;
  readonly now: Date;
}

/** A budget in its present window, in millionths. */
interface Line {
  readonly unit: BudgetUnit;
  readonly window: BudgetWindow;
  readonly limit: bigint;
  readonly left: bigint;
  /** What attempts have used that ended in the window: with its end that much is left again. */
  readonly used: bigint;
  readonly endsMs: number;
}

/** The name of a unit in a sentence. */
export const UNIT_WORDS = {
  runUnits: 'run units',
  tokens: 'tokens',
  cost: 'units of cost',
} as const satisfies Record<BudgetUnit, string>;

/**
 * The budgets of a tenant while admission goes through its queue. In use is what attempts have used that ended in the window, and
 * what those under way hold: what they have reserved, or have used if that is more. Who comes is admitted if his reservation fits as well. Since an
 * attempt counts in the window of its end, what is reserved counts in every window until then.
 */
export class BudgetBook {
  /** What is held, with what it reserves of budgets that are newer, and who is paused. */
  readonly held: readonly Reservation[];
  readonly #context: EstimateContext;
  readonly #units: ReadonlySet<BudgetUnit>;
  readonly #awaited = new Set<BudgetUnit>();
  #lines: readonly Line[];
  #nextMs: number;

  constructor(input: BudgetInput) {
    const { ledger, now, runs } = input;
    const budgets = ledger.spec.budgets ?? [];
    const largest = { runUnits: largestOf(budgets, 'runUnits'), cost: largestOf(budgets, 'cost') };
    this.#context = { ...input.context, largest, price: ledger.spec.price };
    this.#units = new Set(budgets.map(({ unit }) => unit));
    this.#lines = [];
    this.#nextMs = Infinity;
    this.held = input.held;
    if (budgets.length === 0) return;
    const byUid = runsByUid(runs);
    const held = input.held.map((one) => this.#completed(one, byUid.get(one.uid)));
    const timed = TIMED_UNITS.filter((unit) => this.#units.has(unit));
    const holds: Holds = Object.fromEntries(
      timed.map((unit) => [unit, held.map((one) => holdOf(one, { run: byUid.get(one.uid), now, unit }))]),
    );
    const { taken, outside } = heldOfBudgets(held, { holds, records: input.trees ?? new Map() });
    this.#lines = budgets.map((budget) => lineOf({ ...budget, taken }, input));
    const spent = timed.map((unit) => {
      const lefts = this.#lines.filter((line) => line.unit === unit);
      return { unit, ...overspendingOf(outside[unit] ?? [], lefts) };
    });
    this.held = held.map((one) => withMark(one, spent));
    this.#nextMs = now.getTime() + Math.min(...spent.map(({ afterMs }) => afterMs), Infinity);
  }

  /** When the time alone changes something, in milliseconds since 1970: a Run is to be paused, or a window ends that others wait for. */
  get nextMs(): number {
    return this.#nextMs;
  }

  /** The candidate with what it would reserve. */
  withEstimate(candidate: Candidate, run: Run): Candidate {
    return this.#units.size === 0 ? candidate : { ...candidate, reserves: this.#reservesOf(run) };
  }

  /** What of the budgets `candidate` waits for. Others that want some of the same wait behind it, unless no window could ever do. */
  obstacleTo(candidate: Candidate): Waiting | undefined {
    if (candidate.call !== undefined) return undefined;
    const reserves = chargesOf(candidate);
    const wanted = this.#lines.map((line) => ({ line, need: parseMicro(reserves[line.unit] ?? '0') }));
    const tooSmall = wanted.find(({ line, need }) => need > line.limit || line.limit === 0n);
    if (tooSmall !== undefined) return neverFits(tooSmall.line, tooSmall.need);
    const short = wanted.filter(({ line, need }) => need > line.left || line.left <= 0n);
    const [last] = short.toSorted(byHindrance);
    if (last !== undefined) {
      for (const { line } of short) this.#awaited.add(line.unit);
      if (endHelps(last.line, last.need)) this.#nextMs = Math.min(this.#nextMs, last.line.endsMs);
      return exhausted(last.line, last.need);
    }
    const behind = wanted.find(({ line, need }) => need > 0n && this.#awaited.has(line.unit));
    return behind && aheadOf(behind.line.unit);
  }

  /** Whether no budget is in the way of `candidate`. Nobody waits behind one that was only asked for. */
  hasRoomFor(candidate: Candidate): boolean {
    if (candidate.call !== undefined) return true;
    const reserves = chargesOf(candidate);
    return this.#lines.every(({ unit, left }) => {
      const need = parseMicro(reserves[unit] ?? '0');
      return need <= left && left > 0n && !(need > 0n && this.#awaited.has(unit));
    });
  }

  /** Sets aside what `candidate` reserves. */
  take(candidate: Candidate): void {
    const reserves = chargesOf(candidate);
    this.#lines = this.#lines.map((line) => ({
      ...line,
      left: line.left - parseMicro(reserves[line.unit] ?? '0'),
    }));
  }

  #completed(reservation: Reservation, run: Run | undefined): Reservation {
    const isComplete = [...this.#units].every((unit) => reservation[unit] !== undefined);
    return isComplete ? reservation : { ...this.#reservesOf(run), ...reservation };
  }

  #reservesOf(run: Run | undefined): Reserves {
    const agent = run && sourceOf(run, this.#context).agent;
    if (run === undefined || agent === undefined) return {};
    return reservesFor(this.#units, estimateOf(run, agent, this.#context), this.#context.price);
  }
}

/** Marked where its Run is to be paused. Who is paused for both has one reason for it. */
function withMark(
  one: Reservation,
  spent: readonly (Overspending & { readonly unit: TimedUnit })[],
): Reservation {
  const found = spent.find(({ paused }) => paused.has(one.uid));
  const overspent = found?.paused.get(one.uid);
  if (found === undefined || overspent === undefined) return one;
  return { ...one, overspent, ...(found.unit === 'cost' && { overspentUnit: found.unit }) };
}

/** What is taken of the budgets of the tenant: of a Run that others call nothing, since the one above all has reserved it. */
function chargesOf({ call, reserves = {}, pool }: Candidate): Reserves {
  if (call !== undefined) return {};
  if (pool === undefined) return reserves;
  const sums = BUDGET_UNITS.filter((unit) => reserves[unit] !== undefined).map((unit) => {
    return [unit, formatMicro(parseMicro(reserves[unit] ?? '0') + parseMicro(pool[unit] ?? '0'))] as const;
  });
  return Object.fromEntries(sums);
}

/** What was used of `unit` in the present window, in millionths, and when that ends. */
export function usedIn(
  usage: UsageHistory | undefined,
  { unit, window }: Pick<Line, 'unit' | 'window'>,
  now: Date,
): { readonly used: bigint; readonly endsMs: number } {
  const start = windowStart(window, now.toISOString());
  // One that a clock that was ahead has seen the end of is in two parts.
  const found = (usage?.windows ?? []).filter((one) => one.window === window && one.start === start);
  const used = found.reduce(
    (sum, one) =>
      sum + (unit === 'tokens' ? tokenMicros(one.reported) : parseMicro(one.amounts[unit] ?? '0')),
    0n,
  );
  return { used, endsMs: windowEndMs(window, start) };
}

function lineOf(
  {
    unit,
    window,
    limit: quantity,
    taken,
  }: Pick<Line, 'unit' | 'window'> & {
    readonly limit: string | number;
    readonly taken: Readonly<Record<BudgetUnit, bigint>>;
  },
  { usage, now }: BudgetInput,
): Line {
  const limit = microOf(quantity) ?? 0n;
  const { used, endsMs } = usedIn(usage, { unit, window }, now);
  return { unit, window, limit, left: limit - used - taken[unit], used, endsMs };
}

/** The present window in a sentence. Where what was written lacks it, it speaks of another. */
export function windowPhrase(window: BudgetWindow, endsMs: number): string {
  return `in the ${window} until ${toInstant(new Date(endsMs))}`;
}

/** The largest reservation of a unit that every window could hold. */
function largestOf(budgets: readonly BudgetLimit[], of: TimedUnit): bigint | undefined {
  const limits = budgets.filter(({ unit }) => unit === of).map(({ limit }) => microOf(limit) ?? 0n);
  return limits.length === 0 ? undefined : limits.reduce(smaller);
}

interface Short {
  readonly line: Line;
  readonly need: bigint;
}

/** Whether so much is left again when the window ends, whatever those under way do. */
function endHelps({ left, used }: Line, need: bigint): boolean {
  return left + used > 0n && need <= left + used;
}

/** First the one that keeps it longest: what others hold, whose end nobody knows, and then the window that ends last. */
function byHindrance(a: Short, b: Short): number {
  const isHeld = ({ line, need }: Short) => Number(!endHelps(line, need));
  return isHeld(b) - isHeld(a) || b.line.endsMs - a.line.endsMs;
}

function exhausted(line: Line, need: bigint): Waiting {
  const { unit, window, limit, left, endsMs } = line;
  const budget = `of the tenant's ${formatMicro(limit)} ${UNIT_WORDS[unit]}`;
  const asks = `(quotas.${unit}), and it would reserve ${formatMicro(need)}`;
  const rest = formatMicro(left > 0n ? left : 0n);
  if (!endHelps(line, need)) {
    return {
      reason: RUN_REASONS.BudgetExhausted,
      message: `${rest} ${budget} for a ${window} are left beside what Runs under way have reserved ${asks}; it goes on when some of these end, or when the budget is raised`,
    };
  }
  const phrase = windowPhrase(window, endsMs);
  return {
    reason: RUN_REASONS.BudgetExhausted,
    message: `${rest} ${budget} are left ${phrase} ${asks}; it goes on then, or when others use less than they have reserved, or when the budget is raised`,
    current: phrase,
  };
}

function aheadOf(unit: BudgetUnit): Waiting {
  const message = `a Run of the tenant that is ahead waits for ${UNIT_WORDS[unit]} (quotas.${unit})`;
  return { reason: RUN_REASONS.BudgetExhausted, message };
}

function neverFits({ unit, window, limit }: Line, need: bigint): Waiting {
  if (limit === 0n) {
    const message = `the tenant's budget of ${UNIT_WORDS[unit]} for a ${window} is 0 (quotas.${unit}): nothing starts until it is raised`;
    return { reason: RUN_REASONS.BudgetTooSmall, message };
  }
  const shorten = unit === 'tokens' ? '' : ', or shorten its timeoutSeconds';
  return {
    reason: RUN_REASONS.BudgetTooSmall,
    message: `it would reserve ${formatMicro(need)} ${UNIT_WORDS[unit]}, more than the tenant's budget of ${formatMicro(limit)} for a whole ${window} (quotas.${unit}): raise that, say what it is expected to use (spec.estimate.${unit} of the Run or its Agent)${shorten}`,
  };
}
