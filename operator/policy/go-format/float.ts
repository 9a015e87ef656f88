// SPDX-License-Identifier: Apache-2.0

/** A number by its digits: 0.DIGITS times ten to the power of `point`. No digits are zero. */
export interface Digits {
  readonly digits: string;
  readonly point: number;
}

/** The fewest digits that stand for this double. */
export function shortestDigits(value: number): Digits {
  if (value === 0) return { digits: '', point: 0 };
  const [mantissa = '', exponent = '0'] = Math.abs(value).toExponential().split('e');
  return { digits: mantissa.replace('.', ''), point: Number(exponent) + 1 };
}

/** All digits of this double: there are at most 767 that count. */
export function exactDigits(value: number): Digits {
  const { mantissa, exponent } = partsOf(value);
  if (mantissa === 0n) return { digits: '', point: 0 };
  const scaled = exponent >= 0 ? mantissa << BigInt(exponent) : mantissa * 5n ** BigInt(-exponent);
  const text = String(scaled);
  return { digits: text.replace(/0+$/, ''), point: text.length + Math.min(exponent, 0) };
}

/** A double as a whole number times a power of two. */
export function partsOf(value: number): { readonly mantissa: bigint; readonly exponent: number } {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(value));
  const all = bits.getBigUint64(0);
  const biased = Number(all >> 52n);
  const fraction = all & 0xf_ffff_ffff_ffffn;
  return biased === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | (1n << 52n), exponent: biased - 1075 };
}

/** The first `count` digits, halves rounded to even. With fewer than none, no digit is left. */
export function roundDigits({ digits, point }: Digits, count: number): Digits {
  if (count >= digits.length) return { digits, point };
  if (count < 0) return { digits: '', point: 0 };
  const kept = digits.slice(0, count);
  if (!isRoundedUp(digits, count)) return trimmed({ digits: kept, point });
  const raised = String(BigInt(`1${kept}`) + 1n);
  // A carry out of the first digit: 999 became 1000.
  return raised.startsWith('2')
    ? { digits: '1', point: point + 1 }
    : trimmed({ digits: raised.slice(1), point });
}

function isRoundedUp(digits: string, count: number): boolean {
  const rest = digits.slice(count);
  if (rest !== '5') return rest >= '5';
  return count > 0 && Number(digits[count - 1]) % 2 === 1;
}

function trimmed({ digits, point }: Digits): Digits {
  const kept = digits.replace(/0+$/, '');
  return kept === '' ? { digits: '', point: 0 } : { digits: kept, point };
}

/** Plain digits with so many after the point. */
export function fixed({ digits, point }: Digits, decimals: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
  if (decimals === 0) return whole;
  const zeros = '0'.repeat(Math.min(Math.max(-point, 0), decimals));
  const fraction = (zeros + digits.slice(Math.max(point, 0))).slice(0, decimals).padEnd(decimals, '0');
  return `${whole}.${fraction}`;
}

/** One digit, so many after the point, and a power of ten of at least two digits. */
export function exponential(
  { digits, point }: Digits,
  { decimals, mark }: { readonly decimals: number; readonly mark: string },
): string {
  const first = digits === '' ? '0' : digits.slice(0, 1);
  const rest = digits.slice(1, 1 + decimals).padEnd(decimals, '0');
  const power = digits === '' ? 0 : point - 1;
  const sign = power < 0 ? '-' : '+';
  return `${first}${decimals > 0 ? `.${rest}` : ''}${mark}${sign}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** The shorter of the two, as Go's %g chooses; without a precision, with as few digits as stand for the number. */
export function general(
  value: number,
  { precision, mark }: { readonly precision: number | undefined; readonly mark: string },
): string {
  const wanted = precision === undefined ? undefined : Math.max(precision, 1);
  const digits = wanted === undefined ? shortestDigits(value) : roundDigits(exactDigits(value), wanted);
  const count = digits.digits.length;
  const power = digits.point - 1;
  const most = wanted === undefined ? 6 : generalLimit(digits, wanted);
  if (count > 0 && (power < -4 || power >= most)) {
    return exponential(digits, { decimals: Math.max(count - 1, 0), mark });
  }
  return fixed(digits, Math.max(count - digits.point, 0));
}

function generalLimit({ digits, point }: Digits, wanted: number): number {
  return wanted > digits.length && digits.length >= point ? digits.length : wanted;
}

/** Powers of two: `b` with a whole mantissa, `x` with hexadecimal digits after the point. */
export function binary(value: number): string {
  const { mantissa, exponent } = partsOf(value);
  return `${mantissa}p${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`;
}

/** Hexadecimal digits, and a power of two of at least two digits. */
export function hexadecimal(value: number, precision: number | undefined): string {
  let { mantissa, exponent } = partsOf(value);
  if (mantissa === 0n) return `0x0${precision ? `.${'0'.repeat(precision)}` : ''}p+00`;
  // One bit before the point, and 52 after it.
  const shift = 53 - mantissa.toString(2).length;
  mantissa <<= BigInt(shift);
  exponent += 52 - shift;
  if (precision !== undefined && precision < 13) {
    mantissa = roundHex(mantissa, precision);
    if (mantissa >= 1n << 53n) [mantissa, exponent] = [mantissa >> 1n, exponent + 1];
  }
  const all = (mantissa & 0xf_ffff_ffff_ffffn).toString(16).padStart(13, '0');
  const fraction =
    precision === undefined ? all.replace(/0+$/, '') : all.slice(0, precision).padEnd(precision, '0');
  const power = `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  return `0x1${fraction === '' ? '' : `.${fraction}`}p${power}`;
}

/** So many hexadecimal digits after the point, halves to even. */
function roundHex(mantissa: bigint, precision: number): bigint {
  const unit = 1n << BigInt(52 - 4 * precision);
  const rest = mantissa % unit;
  const down = mantissa - rest;
  const isUp = rest * 2n > unit || (rest * 2n === unit && (down / unit) % 2n === 1n);
  return isUp ? down + unit : down;
}
