// SPDX-License-Identifier: Apache-2.0

/** What a text is held against: all of a regular expression that a schema needs. */
export interface Pattern {
  readonly test: (text: string) => boolean;
  /** Unlike that of any other pattern: validators know them by it. */
  readonly toString: () => string;
}

/** One class of letters and digits, so many times: `^([a-f]{32}|[a-f]{40})$`. */
const ONE_OF_LENGTHS = /^\^\((\[[a-zA-Z0-9-]+\])\{\d+\}(?:\|\[[a-zA-Z0-9-]+\]\{\d+\})*\)\$$/;
const LENGTH = /(\[[a-zA-Z0-9-]+\])\{(\d+)\}/g;

/**
 * A pattern of a schema. Hashes are one class of characters in one of several lengths, which a regular expression tries one after the other, each from
 * the beginning: there the length is looked at first, which says the same. Some tens of thousands of hashes are a tenth of what a bill of materials costs.
 */
export function patternOf(pattern: string, flags: string): Pattern {
  return oneOfLengths(pattern) ?? new RegExp(pattern, flags);
}

function oneOfLengths(pattern: string): Pattern | undefined {
  const [, letters = ''] = ONE_OF_LENGTHS.exec(pattern) ?? [];
  const parts = [...pattern.matchAll(LENGTH)];
  if (letters === '' || parts.some(([, other]) => other !== letters)) return undefined;
  const lengths = new Set(parts.map(([, , length]) => Number(length)));
  // None of the class takes two units, so the length in units is that in letters. To look for one of another class goes back nowhere.
  const other = new RegExp(`[^${letters.slice(1)}`);
  return { test: (text) => lengths.has(text.length) && !other.test(text), toString: () => pattern };
}
