// SPDX-License-Identifier: Apache-2.0

/** What each thing in a list has one of its own of. */
const NAMES = ['bom-ref', 'ref'];
/** By what things in lists are told apart by those who write them. */
const TELLING = ['purl', 'url', 'id', 'name', 'version', 'value', 'content', 'alg', 'type'];

/** The same for values that are the same, and soon made: few of those that differ have it in common. */
function hintOf(value: unknown): string {
  if (typeof value === 'string') return `"${value}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.length}`;
  for (const key of NAMES) {
    const name = fieldOf(value, key);
    // With all else of it the hint would be longer, and hardly ever tell more apart.
    if (name !== '') return `{${key}\n${name}`;
  }
  let hint = '{\n';
  for (const key of TELLING) hint += `${fieldOf(value, key)}\n`;
  return hint;
}

/** Whether each is an object with a text of its own there, which no other has: then no two are the same, and nothing is written down to see that. */
function haveNames(values: readonly unknown[], key: string): boolean {
  const names = new Set<string>();
  for (const value of values) {
    const name = typeof value === 'object' && value !== null ? fieldOf(value, key) : '';
    if (name === '') return false;
    names.add(name);
  }
  return names.size === values.length;
}

function fieldOf(value: object, key: string): string {
  const field: unknown = Object.hasOwn(value, key) ? (value as Readonly<Record<string, unknown>>)[key] : '';
  return typeof field === 'string' ? field : '';
}

/**
 * Tells values of JSON that are the same, in time linear in their size: each gets a number, and is the same as what has it already. To compare
 * each with each takes minutes for a list of ten thousand.
 */
export class Same {
  readonly #numbers = new Map<string, number>();
  readonly #known = new WeakMap<object, number>();

  /** Whether no two of them are the same. */
  areDistinct(values: readonly unknown[]): boolean {
    // As most lists are.
    if (values.length < 2 || NAMES.some((key) => haveNames(values, key))) return true;
    const hints = values.map(hintOf);
    return new Set(hints).size === values.length || this.#areApart(values, hints);
  }

  #areApart(values: readonly unknown[], hints: readonly string[]): boolean {
    const byHint = new Map<string, unknown[]>();
    for (const [index, value] of values.entries()) {
      const hint = hints[index] ?? '';
      const alike = byHint.get(hint);
      if (alike === undefined) byHint.set(hint, [value]);
      else alike.push(value);
    }
    return [...byHint.values()].every((alike) => this.#areDistinct(alike));
  }

  #areDistinct(values: readonly unknown[]): boolean {
    return values.length < 2 || new Set(values.map((one) => this.#markOf(one))).size === values.length;
  }

  /** What is alike for the same values only: of objects and lists their number, of all else its text in JSON. */
  #markOf(value: unknown): string {
    return typeof value === 'object' && value !== null ? `#${this.#numberOf(value)}` : JSON.stringify(value);
  }

  #numberOf(value: object): number {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const text = Array.isArray(value) ? this.#listText(value) : this.#objectText(value);
    const number = this.#numbers.get(text) ?? this.#numbers.size;
    this.#numbers.set(text, number);
    this.#known.set(value, number);
    return number;
  }

  #listText(values: readonly unknown[]): string {
    return `[${values.map((one) => this.#markOf(one)).join()}]`;
  }

  /** In which order keys were written makes no difference. */
  #objectText(value: object): string {
    const fields = Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}:${this.#markOf(one)}`);
    return `{${fields.toSorted().join()}}`;
  }
}
