// SPDX-License-Identifier: Apache-2.0

/** Millionths in one: the unit of every amount in this folder. */
export const MICRO = 1_000_000n;

const DECIMAL = /^(\d{1,40})(?:\.(\d{1,6}))?$/;

/** Millionths as the API writes them, without zeros at the end: 1500000n is `1.5`. */
export function formatMicro(micro: bigint): string {
  const fraction = String(micro % MICRO)
    .padStart(6, '0')
    .replace(/0+$/, '');
  return `${micro / MICRO}${fraction === '' ? '' : `.${fraction}`}`;
}

/** What `formatMicro` has written: `1.5` is 1500000n. None for what is no such number. */
export function parseMicro(text: string): bigint {
  const [, whole = '0', fraction = ''] = DECIMAL.exec(text) ?? [];
  return BigInt(whole) * MICRO + BigInt(fraction.padEnd(6, '0'));
}

/** The quotient of two numbers that are not negative, to the nearest integer, half of one up. divideHalfUp(5n, 2n) is 3n. */
export function divideHalfUp(dividend: bigint, divisor: bigint): bigint {
  return (2n * dividend + divisor) / (2n * divisor);
}
