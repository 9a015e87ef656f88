// SPDX-License-Identifier: Apache-2.0

/** Which suffixes a quantity is written with: `Ki`, `Mi`, ... or `k`, `M`, ... */
export type QuantityFormat = 'binary' | 'decimal';

/** Thousandths in one: the unit of every amount in this folder. */
export const MILLI = 1000n;

// `(sign)(digits)(.digits)(suffix)` as apimachinery's resource.ParseQuantity reads it, bounded in length.
const QUANTITY = /^([+-]?)(\d{0,40})(?:\.(\d{0,40}))?(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,2}))?$/;
const DECIMAL_POWERS: ReadonlyMap<string, number> = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const BINARY_SUFFIXES = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
/** From 10^-3 up, one step of three digits each. */
const DECIMAL_SUFFIXES = ['m', '', 'k', 'M', 'G', 'T', 'P', 'E'];
/** Kubernetes caps quantities at 2^63-1. */
const MAX = (2n ** 63n - 1n) * MILLI;

/**
 * A quantity in thousandths: `500m` is 500n, `2` is 2000n, `1Ki` is 1024000n. What is finer is rounded up (away from
 * zero), as Kubernetes does: half a millicore is one, never none. Undefined for what is no quantity.
 */
export function parseQuantity(value: string | number): bigint | undefined {
  const milli = parseIn(3, value);
  if (milli === undefined) return undefined;
  if (milli > MAX) return MAX;
  return milli < -MAX ? -MAX : milli;
}

/** Whether two values are the same quantity in other words, as `1000m` and `1`; never for what is none. */
export function isSameQuantity(a: unknown, b: unknown): boolean {
  const nanos = parseNanos(a);
  return nanos !== undefined && nanos === parseNanos(b);
}

/** In 10^-9, the finest that Kubernetes keeps, and not capped. */
function parseNanos(value: unknown): bigint | undefined {
  return typeof value === 'string' || typeof value === 'number' ? parseIn(9, value) : undefined;
}

/** A quantity in units of 10^-`places`. */
function parseIn(places: number, value: string | number): bigint | undefined {
  const parts = QUANTITY.exec(String(value));
  if (parts === null) return undefined;
  const [, sign, whole = '', fraction = '', suffix = '', exponent = '0'] = parts;
  if (whole + fraction === '') return undefined;
  const amount = scale(BigInt(whole + fraction), suffix, places + Number(exponent) - fraction.length);
  return sign === '-' ? -amount : amount;
}

/** `digits` x 10^`power` of `suffix`. */
function scale(digits: bigint, suffix: string, power: number): bigint {
  const units = digits * 1024n ** BigInt(Math.max(0, BINARY_SUFFIXES.indexOf(suffix)));
  const tens = power + (DECIMAL_POWERS.get(suffix) ?? 0);
  return tens >= 0 ? units * 10n ** BigInt(tens) : divideUp(units, 10n ** BigInt(-tens));
}

/** The suffixes that `value` is written with; what has none counts as decimal. */
export function quantityFormat(value: string | number): QuantityFormat {
  return String(value).endsWith('i') ? 'binary' : 'decimal';
}

/**
 * `milli` as the API server would write it: the largest suffix that needs no fraction. Binary suffixes serve whole
 * numbers of 1024 and more; others fall back to decimal, as in Kubernetes.
 */
export function formatQuantity(milli: bigint, like: QuantityFormat = 'decimal'): string {
  if (milli === 0n) return '0';
  const magnitude = milli < 0n ? -milli : milli;
  const sign = milli < 0n ? '-' : '';
  if (like === 'binary' && magnitude % MILLI === 0n && magnitude >= 1024n * MILLI) {
    return sign + withSuffix(magnitude / MILLI, 1024n, BINARY_SUFFIXES);
  }
  return sign + withSuffix(magnitude, 1000n, DECIMAL_SUFFIXES);
}

function withSuffix(amount: bigint, base: bigint, suffixes: readonly string[]): string {
  let rest = amount;
  let step = 0;
  while (rest % base === 0n && step < suffixes.length - 1) {
    rest /= base;
    step += 1;
  }
  return `${rest}${suffixes[step] ?? ''}`;
}

function divideUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}
