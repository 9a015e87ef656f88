// SPDX-License-Identifier: Apache-2.0

/** By what things in lists are told apart by those who write them. */
const TELLING = ['bom-ref', 'ref', 'purl', 'url', 'id', 'name', 'version', 'value', 'content', 'alg', 'type'];

/** The same for values that are the same, and soon made: few of those that differ have it in common. */
function hintOf(value: unknown): string {
  if (typeof value === 'string') return `"${value}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.length}`;
  let hint = '{';
  for (const key of TELLING) {
    const field: unknown = Object.hasOwn(value, key) ? (value as Readonly<Record<string, unknown>>)[key] : '';
    hint += typeof field === 'string' ? `${field}\n` : '\n';
  }
  return hint;
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
    const byHint = new Map<string, unknown[]>();
    for (const value of values) {
      const hint = hintOf(value);
      const alike = byHint.get(hint);
      if (alike === undefined) byHint.set(hint, [value]);
      else alike.push(value);
    }
    if (byHint.size === values.length) return true;
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
