// SPDX-License-Identifier: Apache-2.0
import { readNumber } from '../values/read.ts';
import type { Value } from '../values/value.ts';
import { type Builtins, fromWhole, ofTexts } from './builtin.ts';

/** A number as a fraction: exact, as quantities have to be. */
interface Fraction {
  readonly over: bigint;
  readonly under: bigint;
}

const LETTERS = ['k', 'm', 'g', 't', 'p', 'e'];
/** Of the power of ten in a number: what is larger would take all of a worker to write down. */
const MAX_EXPONENT_DIGITS = 6;
const MAX_EXPONENT = 10_000;
/** OPA's own has no more either. */
const DECIMALS = 10n;

/** 0.001 is no fraction of two: OPA takes the double nearest to it. */
const MILLI: Fraction = { over: 1_152_921_504_606_847n, under: 1n << 60n };

/** Quantities as Kubernetes writes them. */
export const UNIT_BUILTINS: Builtins = {
  'units.parse': ofTexts((text) => {
    const quantity = quantityOf(text);
    if (quantity === undefined) return undefined;
    const { number, unit } = quantity;
    const factor = unit === 'm' ? MILLI : factorOf(unitOf(unit), { isStrict: true });
    return factor === undefined
      ? undefined
      : toNumber({ over: number.over * factor.over, under: number.under * factor.under });
  }),
  'units.parse_bytes': ofTexts((text) => {
    const quantity = quantityOf(text.toLowerCase());
    const factor =
      quantity === undefined ? undefined : factorOf(quantity.unit.replace(/b$/, ''), { isStrict: false });
    if (quantity === undefined || factor === undefined || quantity.unit === 'b') return undefined;
    return fromWhole((quantity.number.over * factor.over) / quantity.number.under);
  }),
};

/** Only of the first letter it matters whether it is a capital one: `m` is a thousandth, `M` a million. */
function unitOf(unit: string): string {
  return unit.slice(0, 1) + unit.slice(1).toLowerCase();
}

function quantityOf(quoted: string): { readonly number: Fraction; readonly unit: string } | undefined {
  const text = quoted.replaceAll('"', '');
  const [, digits = '', unit = ''] =
    /^((?:[0-9.+-]|e[+-]?(?=[0-9])|E[+-]?(?=[0-9]))*)(.*)$/s.exec(text) ?? [];
  const number = fractionOf(digits);
  return number === undefined || text.includes(' ') ? undefined : { number, unit };
}

/** fractionOf('1.5e3') -> 15000 over 10; undefined for what is no number. */
function fractionOf(text: string): Fraction | undefined {
  const [, sign, whole = '', decimals = '', power = '0'] =
    /^([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]+))?$/.exec(text) ?? [];
  if (sign === undefined || whole + decimals === '') return undefined;
  const exponent = Number(power);
  if (power.replace(/^[+-]/, '').length > MAX_EXPONENT_DIGITS || Math.abs(exponent) > MAX_EXPONENT)
    return undefined;
  const over =
    BigInt(`${whole}${decimals}`) * (sign === '-' ? -1n : 1n) * 10n ** BigInt(Math.max(exponent, 0));
  return { over, under: 10n ** BigInt(decimals.length + Math.max(-exponent, 0)) };
}

/** Powers of a thousand, and with an `i` of 1024. */
function factorOf(unit: string, { isStrict }: { readonly isStrict: boolean }): Fraction | undefined {
  if (unit === '') return { over: 1n, under: 1n };
  if (isStrict && unit.length > 2) return undefined;
  const power = BigInt(LETTERS.indexOf(unit.slice(0, 1).toLowerCase()) + 1);
  if (power === 0n) return undefined;
  if (unit.slice(1) === 'i') return { over: 1024n ** power, under: 1n };
  return unit.length === 1 ? { over: 1000n ** power, under: 1n } : undefined;
}

/** Whole where it is; otherwise with ten decimals, halves away from zero. */
function toNumber({ over, under }: Fraction): Value {
  if (over % under === 0n) return fromWhole(over / under);
  const size = over < 0n ? -over : over;
  const scaled = (size * 10n ** DECIMALS * 2n + under) / (under * 2n);
  const digits = String(scaled).padStart(Number(DECIMALS) + 1, '0');
  return readNumber(
    `${over < 0n ? '-' : ''}${digits.slice(0, -Number(DECIMALS))}.${digits.slice(-Number(DECIMALS))}`,
  );
}
