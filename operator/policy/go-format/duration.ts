// SPDX-License-Identifier: Apache-2.0

const HOUR = 3_600_000_000_000n;
const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  '\u00b5s': 1000n,
  '\u03bcs': 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: HOUR,
  d: 24n * HOUR,
  w: 168n * HOUR,
  y: 8760n * HOUR,
};
const LARGEST = 2n ** 63n - 1n;

/** Nanoseconds of a duration as Go writes it, such as `1h30m`, and beyond that in days, weeks and years; undefined for what is none. */
export function parseDuration(text: string): bigint | undefined {
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  const size = sizeOf(text.slice(sign.length));
  if (size === undefined || size > LARGEST + 1n) return undefined;
  if (sign === '-') return -size;
  return size <= LARGEST ? size : undefined;
}

/** Without its sign. */
function sizeOf(text: string): bigint | undefined {
  if (text === '0') return 0n;
  if (!/^(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w|y))+$/.test(text))
    return undefined;
  const parts = text.matchAll(/([0-9]*)\.?([0-9]*)([a-z\u00b5\u03bc]+)/g);
  return [...parts].reduce((total, [, whole = '', decimals = '', unit = '']) => {
    const factor = UNITS[unit] ?? 0n;
    return (
      total +
      BigInt(whole || '0') * factor +
      (BigInt(decimals || '0') * factor) / 10n ** BigInt(decimals.length)
    );
  }, 0n);
}
