// SPDX-License-Identifier: Apache-2.0
import { quote } from './quote.ts';
import { Decimal, isArray, RegoObject, RegoSet, type Value } from './value.ts';

/** A value as a module reads it: JSON, with sets and keys of any type. */
export function writeValue(value: Value): string {
  return write(value, { text: JSON.stringify, separator: ',', colon: ':' });
}

/** A value as Rego shows it: `{"a": [1, "b"]}`, `{1, 2}`, `set()`. */
export function showValue(value: Value): string {
  return write(value, { text: quote, separator: ', ', colon: ': ' });
}

/** A value as JSON has it: sets are arrays, and keys that are no text are shown as text. */
export function toJson(value: Value): unknown {
  if (value instanceof Decimal) return Number(value.text);
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof RegoSet) return value.members.map(toJson);
  if (value instanceof RegoObject) {
    return Object.fromEntries(value.entries.map(([key, one]) => [keyText(key), toJson(one)]));
  }
  return isArray(value) ? value.map(toJson) : value;
}

/** A value from JSON that has been parsed. */
export function fromJson(json: unknown): Value {
  if (Array.isArray(json)) return json.map(fromJson);
  if (typeof json === 'object' && json !== null) {
    return new RegoObject(Object.entries(json).map(([key, one]) => [key, fromJson(one)]));
  }
  return json as null | boolean | number | string;
}

/** A key of an object in JSON. */
export function keyText(key: Value): string {
  return typeof key === 'string' ? key : writeValue(key);
}

interface Style {
  readonly text: (text: string) => string;
  readonly separator: string;
  readonly colon: string;
}

function write(value: Value, style: Style): string {
  if (typeof value === 'string') return style.text(value);
  if (value instanceof Decimal) return value.text;
  const all = (values: readonly Value[]): string =>
    values.map((one) => write(one, style)).join(style.separator);
  if (value instanceof RegoSet) return value.members.length === 0 ? 'set()' : `{${all(value.members)}}`;
  if (value instanceof RegoObject) {
    const entries = value.entries.map(
      ([key, one]) => `${write(key, style)}${style.colon}${write(one, style)}`,
    );
    return `{${entries.join(style.separator)}}`;
  }
  return isArray(value) ? `[${all(value)}]` : String(value);
}
