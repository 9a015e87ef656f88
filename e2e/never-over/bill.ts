// SPDX-License-Identifier: Apache-2.0
import { endOf, lastOf, type Moment, runUidOf, type Written } from './trail.ts';

/** What the docs say of the price of a pod, beside what it reserves. */
export interface Price {
  /** Price tier of its Agent, and what that multiplies by, in percent. */
  readonly tier: string;
  readonly tierPercent: number;
  /** Its devices: how many, which part of a card each is, and the price of a card, in percent. */
  readonly gpu?: {
    readonly count: number;
    readonly parts: number;
    readonly of: number;
    readonly percent: number;
  };
  /** What is paid for a million of each, in millionths of a currency; of what is not named nothing, and nothing without it. */
  readonly perMillion?: Readonly<Record<string, bigint>>;
}

/** Amounts in millionths. */
export interface Bill {
  readonly cpuSeconds: bigint;
  readonly memoryByteSeconds: bigint;
  readonly gpuSeconds: bigint;
  readonly runUnits: bigint;
  readonly cost: bigint;
}

const NOTHING: Bill = { cpuSeconds: 0n, memoryByteSeconds: 0n, gpuSeconds: 0n, runUnits: 0n, cost: 0n };
const NO_GPU = { count: 0, parts: 0, of: 1, percent: 0 };
/** What an attempt costs at least whose container has started. */
const LEAST = 10_000n;
const MILLION = 1_000_000n;

/** The sum of two bills. */
export function addBills(a: Bill, b: Bill): Bill {
  return {
    cpuSeconds: a.cpuSeconds + b.cpuSeconds,
    memoryByteSeconds: a.memoryByteSeconds + b.memoryByteSeconds,
    gpuSeconds: a.gpuSeconds + b.gpuSeconds,
    runUnits: a.runUnits + b.runUnits,
    cost: a.cost + b.cost,
  };
}

/**
 * What all pods of Runs cost, by `groupOf`: worked out from what they reserve and what their nodes said of their containers, by the
 * formula as the docs have it, and from nothing that NexusOS has written.
 */
export function billsOf(
  moments: readonly Moment[],
  priceOf: (pod: Written) => Price,
  groupOf: (pod: Written) => string,
): ReadonlyMap<string, Bill> {
  const bills = new Map<string, Bill>();
  for (const pod of lastOf(moments, 'pods').values()) {
    if (runUidOf(pod) === undefined) continue;
    const group = groupOf(pod);
    bills.set(group, addBills(bills.get(group) ?? NOTHING, billOf(pod, priceOf(pod))));
  }
  return bills;
}

/** What one pod costs. Nothing, if its container has not started. */
export function billOf(pod: Written, { tierPercent, gpu = NO_GPU, perMillion }: Price): Bill {
  const { startedAt, finishedAt, message = '' } = endOf(pod) ?? {};
  if (startedAt === undefined || finishedAt === undefined) return NOTHING;
  const ms = BigInt(Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt)));
  const { cpu = '0', memory = '0' } = requestsOf(pod);
  const of = BigInt(gpu.of);
  const cpuSeconds = millicores(cpu) * ms;
  // Thousandths of a second times parts of a card are, times 1000 and by the parts of a card, millionths.
  const parts = BigInt(gpu.count * gpu.parts) * ms * 1000n;
  const scale = of * 100n;
  const cpuTime = cpuSeconds * scale;
  const gpuTime = parts * BigInt(gpu.percent);
  const time = rounded((cpuTime > gpuTime ? cpuTime : gpuTime) * BigInt(tierPercent), scale * 100n);
  const counted = time + callsIn(message);
  const runUnits = counted > LEAST ? counted : LEAST;
  return {
    cpuSeconds,
    memoryByteSeconds: bytes(memory) * ms * 1000n,
    gpuSeconds: rounded(parts, of),
    runUnits,
    cost: costOf({ ...countsIn(message), runUnits }, perMillion),
  };
}

/** '1.5' is 1500000n. */
export function micro(decimal: string): bigint {
  const [whole = '0', fraction = ''] = decimal.split('.');
  return BigInt(whole + fraction.padEnd(6, '0'));
}

function callsIn(message: string): bigint {
  const { toolCalls = 0n, sandboxCalls = 0n } = countsIn(message);
  return (toolCalls * 100_000n + sandboxCalls * 200_000n) / MILLION;
}

/** What a container said that it has used, in millionths. */
function countsIn(message: string): Readonly<Record<string, bigint>> {
  if (message === '') return {};
  const { usage = {} } = JSON.parse(message) as { readonly usage?: Readonly<Record<string, number>> };
  return Object.fromEntries(Object.entries(usage).map(([what, count]) => [what, BigInt(count) * MILLION]));
}

function costOf(used: Readonly<Record<string, bigint>>, perMillion: Price['perMillion'] = {}): bigint {
  const exact = Object.entries(perMillion).reduce(
    (sum, [what, price]) => sum + (used[what] ?? 0n) * price,
    0n,
  );
  return rounded(exact, MILLION * MILLION);
}

function requestsOf({ spec }: Written): Readonly<Record<string, string>> {
  const { containers = [] } = (spec ?? {}) as {
    readonly containers?: readonly {
      readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
    }[];
  };
  return containers[0]?.resources?.requests ?? {};
}

/** To the nearest integer, half of one up. */
function rounded(dividend: bigint, divisor: bigint): bigint {
  return (2n * dividend + divisor) / (2n * divisor);
}

/** '100m' is 100n, '2' is 2000n. */
export function millicores(quantity: string): bigint {
  const [, number = '', milli] = /^(\d+)(m?)$/.exec(quantity) ?? [];
  if (number === '') throw new Error(`cores that scenarios do not write: ${quantity}`);
  return milli === 'm' ? BigInt(number) : BigInt(number) * 1000n;
}

/** '64Mi' is 67108864n. */
function bytes(quantity: string): bigint {
  const [, number = '', unit = ''] = /^(\d+)(Mi|Gi)?$/.exec(quantity) ?? [];
  if (number === '') throw new Error(`memory that scenarios do not write: ${quantity}`);
  return BigInt(number) * { '': 1n, Mi: 1024n ** 2n, Gi: 1024n ** 3n }[unit as '' | 'Mi' | 'Gi'];
}
