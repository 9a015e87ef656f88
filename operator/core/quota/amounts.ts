// SPDX-License-Identifier: Apache-2.0
import { formatQuantity, type QuantityFormat, parseQuantity, quantityFormat } from './quantity.ts';

/** Amounts by quota key (`requests.cpu`, `pods`), in thousandths. A key that is absent is none of it. */
export type Amounts = ReadonlyMap<string, bigint>;

/** Amounts as the API writes them. */
export type Quantities = Readonly<Record<string, string | number>>;

/** Nothing at all. */
export const NO_AMOUNTS: Amounts = new Map();

/** `quantities` as amounts. What is no quantity is left out: the API server has checked it before. */
export function parseAmounts(quantities: Quantities | undefined): Amounts {
  const amounts = new Map<string, bigint>();
  for (const [key, value] of Object.entries(quantities ?? {})) {
    const milli = parseQuantity(value);
    if (milli !== undefined) amounts.set(key, milli);
  }
  return amounts;
}

/** `amounts` as the API server would write them, sorted by key, with the suffixes of the same key in `like`. */
export function formatAmounts(amounts: Amounts, like: Quantities = {}): Record<string, string> {
  const keys = [...amounts.keys()].toSorted();
  return Object.fromEntries(
    keys.map((key) => [key, formatQuantity(amountOf(amounts, key), formatOf(like, key))]),
  );
}

/** The amount of `key`; none when it is absent. */
export function amountOf(amounts: Amounts, key: string): bigint {
  return amounts.get(key) ?? 0n;
}

/** The sum, key by key. */
export function sumOf(all: Iterable<Amounts>): Map<string, bigint> {
  const sum = new Map<string, bigint>();
  for (const amounts of all) addTo(sum, amounts);
  return sum;
}

/** Adds `amounts`, `times` over, to `sum` in place. */
export function addTo(sum: Map<string, bigint>, amounts: Amounts, times = 1n): void {
  for (const [key, milli] of amounts) sum.set(key, amountOf(sum, key) + milli * times);
}

/** The keys of `wanted` of which `free` has too little. A key that `free` does not name is not limited. */
export function lacking(wanted: Amounts, free: Amounts): string[] {
  return [...wanted].filter(([key, milli]) => milli > (free.get(key) ?? milli)).map(([key]) => key);
}

/** Of `amounts`, those that `keys` names. */
export function limitedTo(amounts: Amounts, keys: Amounts): Amounts {
  if (keys.size === 0) return NO_AMOUNTS;
  return new Map([...amounts].filter(([key]) => keys.has(key)));
}

/** The larger of two amounts. */
export function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** The smaller of two amounts. */
export function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function formatOf(like: Quantities, key: string): QuantityFormat {
  const value = like[key];
  return value === undefined ? 'decimal' : quantityFormat(value);
}
