// SPDX-License-Identifier: Apache-2.0
import type { BudgetUnit, Estimate as Declared, TimedUnit } from '#crds/v1alpha1/budgets';
import type { Price } from '#crds/v1alpha1/price';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import type { ReportedUsage } from '#crds/v1alpha1/run-result';
import type { MeteredAttempt, PodUse, Rate } from '#crds/v1alpha1/run-usage';
import { type Agent, podCount } from '../agent/agent.ts';
import { statedResources } from '../agent/container.ts';
import { amountsOf, FLOOR, type Metered, meter } from '../metering/amounts.ts';
import { formatMicro, MICRO } from '../metering/micro.ts';
import { chargeAhead, priceDigest } from '../metering/price.ts';
import { rateOf } from '../metering/rate.ts';
import { defined } from '../object.ts';
import { timeoutSeconds } from '../run/pod.ts';
import type { Run } from '../run/run.ts';
import { larger, smaller } from './amounts.ts';
import type { RunContext } from './candidates.ts';
import { containerResources } from './demand.ts';
import { MILLI, parseQuantity } from './quantity.ts';

/** Amounts in what budgets are in, in millionths. */
export type BudgetAmounts = Readonly<Record<BudgetUnit, bigint>>;

/** Millionths in the amounts that quantities are parsed to. */
const MICRO_PER_MILLI = MICRO / MILLI;

/**
 * What the next attempt of a Run reserves of the budgets: what Run or Agent declare, and no less than an attempt costs that only
 * starts; else all that it can cost in its time. It begins anew, so of tokens it is never less than an attempt has used before, and of run
 * units twice that, as far as its time and the whole of a budget allow: one that was paused for using more than it had reserved comes to
 * its end after a few attempts, and does not use up one window after the other. What nobody says of cost is what the others cost.
 *
 * Example: half a core for a timeout of 60 s, and 30 s to end, tier standard: 45 run units, no tokens.
 */
export function estimateOf(run: Run, agent: Agent, context: EstimateContext): BudgetAmounts {
  const declared: Declared = { ...agent.spec.estimate, ...run.spec.estimate };
  const before = run.status?.usage?.attempts ?? [];
  const used = before.map((one) => amountsOf(one));
  const most = mostAtAdmission(run, agent, context);
  const runUnits = again(declared.runUnits, { unit: 'runUnits', used, most, expected: most }, context);
  const tokens = before.reduce((sum, one) => larger(sum, tokensOf(one)), microOf(declared.tokens) ?? 0n);
  const { price } = context;
  const priced = {
    unit: 'cost',
    used,
    most: chargeAhead(price, { runUnits: most, tokens }),
    expected: chargeAhead(price, { runUnits, tokens }),
  } as const;
  const least = chargeAhead(price, { runUnits: FLOOR, tokens: 0n });
  return {
    runUnits: larger(runUnits, FLOOR),
    tokens,
    cost: larger(again(declared.cost, priced, context), least),
  };
}

/** What attempts have used of a unit, and the next one may. */
interface Again {
  readonly unit: TimedUnit;
  readonly used: readonly Metered[];
  /** All that its time can come to. */
  readonly most: bigint;
  /** What counts where nothing is declared. */
  readonly expected: bigint;
}

/** What is declared, or expected, but no less than was used before, and twice that where it is possible at all. */
function again(
  declared: string | number | undefined,
  { unit, used, most, expected }: Again,
  { largest }: EstimateContext,
): bigint {
  const before = used.reduce((sum, one) => larger(sum, one[unit]), 0n);
  const twice = [most, largest?.[unit] ?? most].reduce(smaller, 2n * before);
  return [microOf(declared) ?? expected, before].reduce(larger, twice);
}

/** What an estimate follows from. */
export interface EstimateContext extends RunContext {
  /** The most of each that any reservation fits with, in millionths: the smallest of the budgets; unbounded when left out. */
  readonly largest?: Readonly<Partial<Record<TimedUnit, bigint | undefined>>>;
  /** What the tenant pays; undefined where nothing is known of that. */
  readonly price?: Price | undefined;
}

/** What an attempt reserves, of those units that are limited, and by which price. */
export function reservesFor(
  units: Iterable<BudgetUnit>,
  estimate: BudgetAmounts,
  price: Price | undefined,
): Pick<Reservation, BudgetUnit | 'priced'> {
  const amounts = [...units].map((unit) => [unit, formatMicro(estimate[unit])] as const);
  const isPriced = price !== undefined && amounts.some(([unit]) => unit === 'cost');
  return { ...Object.fromEntries(amounts), ...(isPriced && { priced: priceDigest(price) }) };
}

/** A quantity in millionths. */
export function microOf(quantity: string | number | undefined): bigint | undefined {
  const milli = quantity === undefined ? undefined : parseQuantity(quantity);
  return milli === undefined ? undefined : milli * MICRO_PER_MILLI;
}

/** The most that an attempt can come to by its time; what it calls comes on top. By rate: it is asked for in each pass. */
export function mostOf(rate: Rate, unit: TimedUnit = 'runUnits'): bigint {
  const known = mosts.get(rate) ?? meteredFor(rate, rate.maxSeconds);
  mosts.set(rate, known);
  return known[unit];
}

const mosts = new WeakMap<Rate, Metered>();

/** What an attempt comes to whose container runs for so long, in millionths. */
export function costOf(rate: Rate, seconds: number, unit: TimedUnit = 'runUnits'): bigint {
  return meteredFor(rate, seconds)[unit];
}

function meteredFor(rate: Rate, seconds: number): Metered {
  const finishedAt = new Date(seconds * 1000).toISOString();
  const use = { uid: '', startedAt: START, finishedAt, basis: 'Observed' } as const;
  return meter({ ...rate, maxSeconds: Math.max(rate.maxSeconds, seconds) }, ofEach(rate, use));
}

/** The same use of each pod of an attempt. */
export function ofEach({ pods = 1 }: Rate, use: PodUse): readonly PodUse[] {
  return Array.from({ length: pods }, () => use);
}

const START = new Date(0).toISOString();

/** By pass, Agent and timeout: a pass asks for each of hundreds of Runs, and those of one Agent cost the same. */
const mostsIn = new WeakMap<RunContext, Map<Agent, Map<number, bigint>>>();

function mostAtAdmission(run: Run, agent: Agent, context: RunContext): bigint {
  const byAgent = mostsIn.get(context) ?? new Map<Agent, Map<number, bigint>>();
  mostsIn.set(context, byAgent);
  // An Agent at another revision is another one here.
  const byTimeout = byAgent.get(agent) ?? new Map<number, bigint>();
  byAgent.set(agent, byTimeout);
  const timeout = timeoutSeconds(run, agent);
  const known = byTimeout.get(timeout) ?? mostOf(rateAtAdmission(run, agent, context));
  byTimeout.set(timeout, known);
  return known;
}

function rateAtAdmission(run: Run, agent: Agent, { gpuClasses, containerDefaults }: RunContext): Rate {
  const { gpu } = agent.spec;
  const gpuClass = gpu && gpuClasses.get(gpu.class);
  return rateOf({
    agent: agent.spec,
    resources: containerResources(statedResources(agent.spec), containerDefaults),
    timeoutSeconds: timeoutSeconds(run, agent),
    pods: podCount(agent.spec),
    ...defined({ gpu: gpu && gpuClass && { class: gpuClass, count: gpu.count } }),
  });
}

function tokensOf({ pods }: MeteredAttempt): bigint {
  return pods.reduce((sum, { reported }) => sum + tokenMicros(reported), 0n);
}

/** Tokens that were reported, read and written, in millionths. */
export function tokenMicros({ inputTokens = 0, outputTokens = 0 }: ReportedUsage = {}): bigint {
  return (BigInt(inputTokens) + BigInt(outputTokens)) * MICRO;
}
