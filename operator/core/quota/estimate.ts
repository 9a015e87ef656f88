// SPDX-License-Identifier: Apache-2.0
import type { BudgetUnit, Estimate as Declared } from '#crds/v1alpha1/budgets';
import type { ReportedUsage } from '#crds/v1alpha1/run-result';
import type { MeteredAttempt, PodUse, Rate } from '#crds/v1alpha1/run-usage';
import { type Agent, podCount } from '../agent/agent.ts';
import { statedResources } from '../agent/container.ts';
import { amountsOf, FLOOR, meter } from '../metering/amounts.ts';
import { MICRO } from '../metering/micro.ts';
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
 * its end after a few attempts, and does not use up one window after the other.
 *
 * Example: half a core for a timeout of 60 s, and 30 s to end, tier standard: 45 run units, no tokens.
 */
export function estimateOf(run: Run, agent: Agent, context: EstimateContext): BudgetAmounts {
  const declared: Declared = { ...agent.spec.estimate, ...run.spec.estimate };
  const before = run.status?.usage?.attempts ?? [];
  const most = mostAtAdmission(run, agent, context);
  const used = before.reduce((sum, one) => larger(sum, amountsOf(one).runUnits), 0n);
  const again = [most, context.largest ?? most].reduce(smaller, 2n * used);
  return {
    runUnits: [microOf(declared.runUnits) ?? most, used, again].reduce(larger, FLOOR),
    tokens: before.reduce((sum, one) => larger(sum, tokensOf(one)), microOf(declared.tokens) ?? 0n),
  };
}

/** What an estimate follows from. */
export interface EstimateContext extends RunContext {
  /** The most run units that any reservation fits with, in millionths: the smallest of the budgets; unbounded when left out. */
  readonly largest?: bigint | undefined;
}

/** A quantity in millionths. */
export function microOf(quantity: string | number | undefined): bigint | undefined {
  const milli = quantity === undefined ? undefined : parseQuantity(quantity);
  return milli === undefined ? undefined : milli * MICRO_PER_MILLI;
}

/** The most that an attempt can cost by its time; what it calls comes on top. By rate: it is asked for in each pass. */
export function mostOf(rate: Rate): bigint {
  const known = mosts.get(rate) ?? costOf(rate, rate.maxSeconds);
  mosts.set(rate, known);
  return known;
}

const mosts = new WeakMap<Rate, bigint>();

/** What an attempt costs whose container runs for so long, in millionths of run units. */
export function costOf(rate: Rate, seconds: number): bigint {
  const finishedAt = new Date(seconds * 1000).toISOString();
  const use = { uid: '', startedAt: START, finishedAt, basis: 'Observed' } as const;
  return meter({ ...rate, maxSeconds: Math.max(rate.maxSeconds, seconds) }, ofEach(rate, use)).runUnits;
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
