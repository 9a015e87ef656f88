// SPDX-License-Identifier: Apache-2.0
import { Decimal, RegoObject, RegoSet, type Value } from './value.ts';

/** Text that is no value. */
export class MalformedValue extends Error {}

/** As deep as values may be; what is deeper would end the stack of whoever walks them. */
export const MAX_DEPTH = 512;

const EMPTY_SET = 'set()';
const TOKEN =
  /[ \t\r\n]*(?:(?<quote>")|(?<number>-?[0-9][0-9.eE+-]*)|(?<word>true|false|null|set\(\))|(?<mark>[{}[\],:]))/y;

type Groups = Readonly<Record<string, string | undefined>>;

/**
 * Reads what a module writes of a value: JSON, and beyond that sets (`{1, 2}`, `set()`) and keys of any type. Throws
 * `MalformedValue` for anything else, since the module may be hostile.
 */
export function readValue(text: string): Value {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.expectEnd();
  return value;
}

/** The number that a text stands for, in the form that keeps it. */
export function readNumber(text: string): number | bigint | Decimal {
  const number = Number(text);
  const isWhole = /^-?(?:0|[1-9][0-9]*)$/.test(text) && text !== '-0';
  // Beyond 53 bits JavaScript may write a number as it was, and yet have another.
  if (isWhole) return Number.isSafeInteger(number) ? number : BigInt(text);
  return String(number) === text ? number : new Decimal(text);
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): Value {
    if (depth > MAX_DEPTH) throw new MalformedValue(`it is deeper than ${MAX_DEPTH}`);
    const token = this.#next();
    if (token['quote'] !== undefined) return this.#quoted();
    if (token['number'] !== undefined) return readNumber(token['number']);
    if (token['word'] !== undefined) return wordValue(token['word']);
    if (token['mark'] === '[') return this.#list(']', () => this.value(depth + 1));
    if (token['mark'] === '{') return this.#braces(depth + 1);
    throw new MalformedValue(`${token['mark']} stands where a value would`);
  }

  expectEnd(): void {
    if (this.#text.slice(this.#at).trim() !== '') throw new MalformedValue('something follows the value');
  }

  /** What a quote has begun. Found by its end, and not by a pattern: texts may be long. */
  #quoted(): string {
    const from = this.#at - 1;
    let end = this.#text.indexOf('"', this.#at);
    while (end !== -1 && isEscaped(this.#text, end)) end = this.#text.indexOf('"', end + 1);
    if (end === -1) throw new MalformedValue('a text does not end');
    this.#at = end + 1;
    return unquote(this.#text.slice(from, this.#at));
  }

  /** A set or an object: what stands after the first value tells. */
  #braces(depth: number): RegoSet | RegoObject {
    if (this.#takes('}')) return new RegoObject([]);
    const first = this.value(depth);
    if (!this.#takes(':')) {
      const members = this.#takes(',') ? this.#list('}', () => this.value(depth)) : this.#closed();
      return new RegoSet([first, ...members]);
    }
    const entry = [first, this.value(depth)] as const;
    const entries = this.#takes(',') ? this.#list('}', () => this.#entry(depth)) : this.#closed();
    return new RegoObject([entry, ...entries]);
  }

  #entry(depth: number): readonly [Value, Value] {
    const key = this.value(depth);
    if (!this.#takes(':')) throw new MalformedValue('an object has a key without a value');
    return [key, this.value(depth)];
  }

  #list<T>(end: string, one: () => T): T[] {
    const items: T[] = [];
    if (this.#takes(end)) return items;
    for (;;) {
      items.push(one());
      if (this.#takes(end)) return items;
      if (!this.#takes(',')) throw new MalformedValue(`neither a comma nor ${end} follows a value`);
    }
  }

  #closed(): [] {
    if (!this.#takes('}')) throw new MalformedValue('neither a comma nor } follows a value');
    return [];
  }

  #takes(mark: string): boolean {
    const before = this.#at;
    if (before < this.#text.length && this.#next()['mark'] === mark) return true;
    this.#at = before;
    return false;
  }

  #next(): Groups {
    TOKEN.lastIndex = this.#at;
    const groups = TOKEN.exec(this.#text)?.groups;
    if (groups === undefined)
      throw new MalformedValue(`nothing that is known stands at character ${this.#at}`);
    this.#at = TOKEN.lastIndex;
    return groups;
  }
}

function wordValue(word: string): Value {
  if (word === EMPTY_SET) return new RegoSet([]);
  return word === 'null' ? null : word === 'true';
}

/** Whether an odd number of backslashes stands before the place. */
function isEscaped(text: string, at: number): boolean {
  let before = at;
  while (text[before - 1] === '\\') before -= 1;
  return (at - before) % 2 === 1;
}

function unquote(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    throw new MalformedValue('a text is not what JSON has');
  }
}
