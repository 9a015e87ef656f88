// SPDX-License-Identifier: Apache-2.0
import { isPrintable, quoteCharacter } from '../values/quote.ts';
import { type Flags, pad } from './directive.ts';

const BASES: Readonly<Record<string, number>> = { d: 10, v: 10, b: 2, o: 8, O: 8, x: 16, X: 16 };
const MAX_CODE_POINT = 0x10_ffffn;
const REPLACEMENT = '\ufffd';

/** An int64 as Go formats it; undefined where the verb is not for numbers. */
export function formatInteger(value: bigint, verb: string, flags: Flags): string | undefined {
  switch (verb) {
    case 'c':
      return pad(character(value), flags);
    case 'q':
      return pad(quoteCharacter(character(value), flags.plus), flags);
    case 'U':
      return pad(unicode(value, flags), { ...flags, zero: false });
    default:
      return inBase(value, verb, flags);
  }
}

function inBase(value: bigint, verb: string, flags: Flags): string | undefined {
  const base = BASES[verb];
  if (base === undefined) return undefined;
  const { precision, width, zero } = flags;
  if (precision === 0 && value === 0n) return pad('', { ...flags, zero: false });
  const sign = signOf(value, flags);
  const isZeroPadded = precision === undefined && zero && !flags.minus && width !== undefined;
  const least = isZeroPadded ? width - sign.length : (precision ?? 0);
  const digits = digitsOf(value, base, verb === 'X').padStart(least, '0');
  return pad(sign + prefix(digits, { verb, base, flags }) + digits, { ...flags, zero: false });
}

function prefix(
  digits: string,
  { verb, base, flags }: { readonly verb: string; readonly base: number; readonly flags: Flags },
): string {
  const old = verb === 'O' ? '0o' : '';
  if (!flags.sharp) return old;
  if (base === 2) return '0b';
  if (base === 8) return old + (digits.startsWith('0') ? '' : '0');
  if (base === 16) return verb === 'X' ? '0X' : '0x';
  return '';
}

function signOf(value: bigint, { plus, space }: Flags): string {
  if (value < 0n) return '-';
  if (plus) return '+';
  return space ? ' ' : '';
}

function digitsOf(value: bigint, base: number, isUpper: boolean): string {
  const digits = (value < 0n ? -value : value).toString(base);
  return isUpper ? digits.toUpperCase() : digits;
}

/** What is no character becomes the one that stands for that. */
function character(value: bigint): string {
  const isSurrogate = value >= 0xd800n && value <= 0xdfffn;
  return value < 0n || value > MAX_CODE_POINT || isSurrogate
    ? REPLACEMENT
    : String.fromCodePoint(Number(value));
}

function unicode(value: bigint, { sharp, precision }: Flags): string {
  const unsigned = BigInt.asUintN(64, value);
  const hex = unsigned
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(precision ?? 4, 4), '0');
  const shown =
    sharp && unsigned <= MAX_CODE_POINT && isPrintable(character(value)) ? ` '${character(value)}'` : '';
  return `U+${hex}${shown}`;
}

/** A whole number beyond 64 bits, which Go formats by rules of its own; undefined where the verb is not for them. */
export function formatBigInteger(value: bigint, verb: string, flags: Flags): string {
  const base = verb === 's' ? 10 : BASES[verb];
  if (base === undefined) return `%!${verb}(big.Int=${value})`;
  const { precision, width = 0, minus } = flags;
  const sign = signOf(value, { ...flags, plus: flags.plus || flags.plusV });
  const start = sign + bigPrefix(verb, flags);
  const digits = digitsOf(value, base, verb === 'X').padStart(precision ?? 0, '0');
  const missing = Math.max(width - start.length - digits.length, 0);
  if (minus) return start + digits + ' '.repeat(missing);
  if (flags.zero && precision === undefined) return start + '0'.repeat(missing) + digits;
  return ' '.repeat(missing) + start + digits;
}

function bigPrefix(verb: string, { sharp }: Flags): string {
  if (verb === 'O') return '0o';
  const prefixes: Readonly<Record<string, string>> = { b: '0b', o: '0', x: '0x', X: '0X' };
  return sharp ? (prefixes[verb] ?? '') : '';
}
