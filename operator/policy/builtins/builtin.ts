// SPDX-License-Identifier: Apache-2.0
import { readNumber } from '../values/read.ts';
import { Decimal, isArray, isNumber, RegoObject, RegoSet, type Value } from '../values/value.ts';

/** What a builtin may know besides its arguments. The same for all calls of one evaluation. */
export interface BuiltinCall {
  readonly nowNs: bigint;
  /** To be called now and then by what may take long. Throws when the time of the evaluation is over. */
  readonly expectTime: () => void;
}

/**
 * A function that Rego calls and the compiler has no code for. It answers from its arguments alone; `undefined` is what Rego calls
 * undefined, as for arguments of a wrong type.
 */
export type Builtin = (args: readonly Value[], call: BuiltinCall) => Value | undefined;

/** Builtins by name. */
export type Builtins = Readonly<Record<string, Builtin>>;

/** An answer that would be larger than any policy needs. It fails the evaluation: to leave it out would change the decision. */
export class TooMuch extends Error {}

/** The most members of a list that a builtin makes from a few characters. */
export const MAX_MADE = 65_536;

/** The longest text that a builtin makes. */
const MAX_TEXT = 4 * 1024 * 1024;

/** Throws `TooMuch` where a builtin is to make a longer text. */
export function expectShort(what: string, length: number): void {
  if (length > MAX_TEXT)
    throw new TooMuch(`${what} makes a text of ${length} characters; at most ${MAX_TEXT} are made`);
}

/** Throws `TooMuch` where a builtin is to make a longer list. */
export function expectModest(what: string, count: number | bigint): void {
  if (count > MAX_MADE) throw new TooMuch(`${what} makes ${count} values; at most ${MAX_MADE} are made`);
}

/** A builtin of texts alone; undefined where an argument is none. */
export function ofTexts(compute: (...texts: readonly string[]) => Value | undefined): Builtin {
  return ofTextsInTime(() => compute);
}

/** The same for what may take long: it is told whom to ask for time. */
export function ofTextsInTime(
  computeIn: (call: BuiltinCall) => (...texts: readonly string[]) => Value | undefined,
): Builtin {
  return (args, call) => {
    const texts = args.filter((one) => typeof one === 'string');
    return texts.length === args.length ? computeIn(call)(...texts) : undefined;
  };
}

/** The members of an array or a set; undefined for anything else. */
export function membersOf(value: Value | undefined): readonly Value[] | undefined {
  if (value instanceof RegoSet) return value.members;
  return value !== undefined && isArray(value) ? value : undefined;
}

/** The texts in an array or a set; undefined where it is none, or holds anything else. */
export function textsOf(value: Value | undefined): readonly string[] | undefined {
  const members = membersOf(value);
  const texts = members?.filter((one) => typeof one === 'string');
  return texts?.length === members?.length ? texts : undefined;
}

/** A whole number; undefined for anything else. `1.0` is one, as in OPA. */
export function wholeOf(value: Value | undefined): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : undefined;
  if (!(value instanceof Decimal)) return undefined;
  const number = Number(value.text);
  return Number.isInteger(number) ? BigInt(number) : undefined;
}

/** The number nearest to what is written; undefined for what is none. */
export function numberOf(value: Value | undefined): number | undefined {
  if (value === undefined || !isNumber(value)) return undefined;
  return value instanceof Decimal ? Number(value.text) : Number(value);
}

/** A whole number as Rego keeps it. */
export function fromWhole(value: bigint): Value {
  return readNumber(String(value));
}

/** An object with keys of text. */
export function objectOf(fields: Readonly<Record<string, Value>>): RegoObject {
  return new RegoObject(Object.entries(fields));
}
