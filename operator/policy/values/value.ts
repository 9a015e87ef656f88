// SPDX-License-Identifier: Apache-2.0

/**
 * A value of Rego. Numbers are those of JSON, of any size: `number` where JavaScript writes it as it was written, `bigint` for
 * whole numbers beyond that, and `Decimal` for any other text.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | Decimal
  | string
  | readonly Value[]
  | RegoSet
  | RegoObject;

/** A number that JavaScript would write another way, such as 1.0, 1e3 or one of forty digits. */
export class Decimal {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A set, in the order of its members. */
export class RegoSet {
  readonly members: readonly Value[];

  /** `members` may come in any order, and more than once. */
  constructor(members: readonly Value[]) {
    this.members = withoutRepeats(members.toSorted(compareValues));
  }
}

/** An object, in the order of its keys, which may be of any type. */
export class RegoObject {
  readonly entries: readonly (readonly [Value, Value])[];

  constructor(entries: readonly (readonly [Value, Value])[]) {
    this.entries = entries.toSorted(([a], [b]) => compareValues(a, b));
  }

  /** The value under a key that is text; undefined where there is none. */
  get(key: string): Value | undefined {
    return this.entries.find(([found]) => found === key)?.[1];
  }
}

/** What the types of Rego are called, in the order in which their values are sorted. */
const TYPES = ['null', 'boolean', 'number', 'string', 'array', 'object', 'set'] as const;
/** The type of a value. */
export type ValueType = (typeof TYPES)[number];

/** The type of a value, as `type_name` has it. */
export function typeOf(value: Value): ValueType {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'string') return 'string';
  if (isNumber(value)) return 'number';
  if (value instanceof RegoSet) return 'set';
  return value instanceof RegoObject ? 'object' : 'array';
}

/** Whether a value is a number, in any of its three forms. */
export function isNumber(value: Value): value is number | bigint | Decimal {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof Decimal;
}

/** Whether a value is an array. */
export function isArray(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** The order of values in Rego: below zero where `a` comes first, zero where they are the same. */
export function compareValues(a: Value, b: Value): number {
  const type = typeOf(a);
  const difference = TYPES.indexOf(type) - TYPES.indexOf(typeOf(b));
  return difference !== 0 ? difference : compareSame(a, b);
}

function compareSame(a: Value, b: Value): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  if (a instanceof RegoObject && b instanceof RegoObject) return compareObjects(a, b);
  if (typeof a === 'boolean') return Number(a) - Number(b);
  return compareAll(listOf(a), listOf(b));
}

function listOf(value: Value): readonly Value[] {
  if (value instanceof RegoSet) return value.members;
  return isArray(value) ? value : [];
}

function compareAll(a: readonly Value[], b: readonly Value[]): number {
  for (const [index, one] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    const difference = compareValues(one, other);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Key by key, and where one is the same, by its values. */
function compareObjects(a: RegoObject, b: RegoObject): number {
  for (const [index, [key, value]] of a.entries.entries()) {
    const other = b.entries[index];
    if (other === undefined) return 1;
    const difference = compareValues(key, other[0]) || compareValues(value, other[1]);
    if (difference !== 0) return difference;
  }
  return a.entries.length - b.entries.length;
}

/** Whole numbers exactly, others as doubles. */
function compareNumbers(a: number | bigint | Decimal, b: number | bigint | Decimal): number {
  const [x, y] = [comparable(a), comparable(b)];
  if (x < y) return -1;
  return x > y ? 1 : 0;
}

function comparable(value: number | bigint | Decimal): number | bigint {
  return value instanceof Decimal ? Number(value.text) : value;
}

/** By code points, as UTF-8 is sorted by bytes; JavaScript's own order is by halves of them. */
export function compareText(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  if (at > 0 && isLowSurrogate(a, at) && isLowSurrogate(b, at)) at -= 1;
  return (a.codePointAt(at) ?? -1) - (b.codePointAt(at) ?? -1);
}

function isLowSurrogate(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}

function withoutRepeats(sorted: readonly Value[]): readonly Value[] {
  return sorted.filter((one, index) => index === 0 || compareValues(sorted[index - 1] ?? null, one) !== 0);
}
