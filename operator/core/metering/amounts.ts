// SPDX-License-Identifier: Apache-2.0
import type { ReportedUsage } from '#crds/v1alpha1/run-result';
import type { MeteredAmounts, MeteredAttempt, PodUse, Rate } from '#crds/v1alpha1/run-usage';
import { larger, smaller } from '../quota/amounts.ts';
import { divideHalfUp, formatMicro, parseMicro } from './micro.ts';
import { chargeOf } from './price.ts';

/** Version of the formula below. Another one gets another number, and the old one stays for what was settled by it. */
export const FORMULA = 1;

/** The least that an attempt costs whose container ran at all: 0.01 run units. */
export const FLOOR = 10_000n;
/** 0.1 run units. */
const PER_TOOL_CALL = 100_000n;
/** 0.2 run units. */
const PER_SANDBOX_CALL = 200_000n;

/** Amounts in millionths. */
export type Metered = { readonly [Key in keyof MeteredAmounts]-?: bigint };

/** Nothing. */
export const NOTHING_METERED: Metered = {
  cpuSeconds: 0n,
  memoryByteSeconds: 0n,
  gpuSeconds: 0n,
  runUnits: 0n,
  cost: 0n,
};

const KEYS = Object.keys(NOTHING_METERED) as (keyof Metered)[];

/**
 * What one attempt costs: what it held, times the time of its containers, and the calls that it reported. Everything is
 * integers, and each amount is rounded once, half up. What a container reports can only add.
 *
 * Half a core and one whole card at 400 % for 10 seconds, in tier heavy (150 %), with 3 tool calls:
 * max(0.5 x 10, 1 x 10 x 4) x 1.5 + 3 x 0.1 = 60.3 run units. What these and the reports cost follows by the price of the rate.
 */
export function meter(rate: Rate, pods: readonly PodUse[]): Metered {
  if (pods.length === 0) return NOTHING_METERED;
  const ms = heldMs(rate, pods);
  const { gpu = NO_GPU } = rate;
  // A thousandth of a core for a thousandth of a second is a millionth.
  const cpu = BigInt(rate.cpuMillicores) * ms;
  const parts = BigInt(gpu.count * gpu.parts) * ms * 1000n;
  const of = BigInt(gpu.of);
  const scale = of * 100n;
  const time = larger(cpu * scale, parts * BigInt(gpu.multiplierPercent));
  const calls = callsOf(pods);
  const units = divideHalfUp(time * BigInt(rate.tierPercent) + calls * scale * 100n, scale * 100n);
  const runUnits = larger(units, FLOOR);
  return {
    cpuSeconds: cpu,
    memoryByteSeconds: BigInt(rate.memoryBytes) * ms * 1000n,
    gpuSeconds: divideHalfUp(parts, of),
    runUnits,
    cost: chargeOf(rate.price, { runUnits, pods }),
  };
}

/** Milliseconds of all containers together, up to what the attempt could take: a clock that jumps costs no more. */
function heldMs({ maxSeconds, pods: count = 1 }: Rate, pods: readonly PodUse[]): bigint {
  const mostMs = BigInt(maxSeconds) * 1000n;
  const sum = pods.reduce((ms, { startedAt, finishedAt }) => {
    const spanMs = Date.parse(finishedAt) - Date.parse(startedAt);
    return spanMs > 0 ? ms + smaller(BigInt(spanMs), mostMs) : ms;
  }, 0n);
  return smaller(sum, mostMs * BigInt(count));
}

/** What the calls that were reported cost. */
function callsOf(pods: readonly PodUse[]): bigint {
  return pods.reduce((sum, { reported = {} }) => sum + costOfCalls(reported), 0n);
}

function costOfCalls({ toolCalls = 0, sandboxCalls = 0 }: ReportedUsage): bigint {
  return BigInt(toolCalls) * PER_TOOL_CALL + BigInt(sandboxCalls) * PER_SANDBOX_CALL;
}

const NO_GPU = { count: 0, parts: 1, of: 1, multiplierPercent: 100 };

/** The sum of two. */
export function addMetered(a: Metered, b: Metered): Metered {
  return mapped((key) => a[key] + b[key]);
}

/** What an attempt that was settled has used: the facts say all of it, and it says what it came to. */
export function amountsOf({ rate, pods, runUnits }: MeteredAttempt): Metered {
  const metered = meter(rate, pods);
  if (runUnits === undefined) return metered;
  const units = parseMicro(runUnits);
  return { ...metered, runUnits: units, cost: chargeOf(rate.price, { runUnits: units, pods }) };
}

/** Amounts as the API writes them. That no cards were reserved, or nothing is paid, is not said. */
export function formatMetered(metered: Metered): MeteredAmounts {
  const { gpuSeconds, cost, ...others } = mapped((key) => formatMicro(metered[key]));
  return {
    ...others,
    ...(metered.gpuSeconds > 0n && { gpuSeconds }),
    ...(metered.cost > 0n && { cost }),
  };
}

/** What `formatMetered` has written; nothing where there is none. */
export function parseMetered(amounts: MeteredAmounts | undefined): Metered {
  return amounts === undefined ? NOTHING_METERED : mapped((key) => parseMicro(amounts[key] ?? '0'));
}

function mapped<T>(valueOf: (key: keyof Metered) => T): Record<keyof Metered, T> {
  return Object.fromEntries(KEYS.map((key) => [key, valueOf(key)])) as Record<keyof Metered, T>;
}
