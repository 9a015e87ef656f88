// SPDX-License-Identifier: Apache-2.0

/** What a pattern takes of memory. */
export interface PatternSize {
  readonly instructions: number;
  /** Of characters, in all instructions together, at most. */
  readonly ranges: number;
}

/** What is kept at most. */
export interface MostPatterns extends PatternSize {
  readonly patterns: number;
}

/** Ranges of the widest class that has a name; 741 in Unicode 16. */
const RANGES_OF_NAMED = 800;
/** Of `\W`, beside the two characters that are counted already. */
const RANGES_OF_SHORT = 4;
/** What other cases make of one character that stands there: few of what is ASCII, up to so many of a range elsewhere. */
const CASES = { ascii: 3, other: 8 } as const;
/** What is smaller may be made once more, with all ranges that may be next at each instruction. */
const MOST_ONE_PASS = 1000;

const CLASS =
  /\[\^?\]?(?:\\[pP]\{[^}]{0,64}\}|\\.|\[:[^\]]{0,16}:\]|[^\]\\])*\]?|\\[pP](?:\{[^}]{0,64}\}|.)|\\.|./gsu;

/**
 * How many ranges of characters so many instructions of a pattern have at most. Each has those of its class; where it is certain which
 * instruction is next, RE2JS writes those of all that may be next to each.
 */
export function rangesOf(pattern: string, instructions: number): number {
  const cases = casesOf(pattern);
  const widths = (pattern.match(CLASS) ?? []).map((one) => widthOf(one) * cases);
  const widest = widths.reduce((most, one) => Math.max(most, one), 1);
  const all = widths.reduce((sum, one) => sum + one, 1);
  return Math.max(instructions * widest, Math.min(instructions, MOST_ONE_PASS) * all);
}

function widthOf(part: string): number {
  const named = part.match(/\\[pP]/g)?.length ?? 0;
  const short = part.match(/\\[sSwW]/g)?.length ?? 0;
  return part.length + named * RANGES_OF_NAMED + short * RANGES_OF_SHORT;
}

function casesOf(pattern: string): number {
  if (!/\(\?[A-Za-z]*i/.test(pattern)) return 1;
  return /[^\0-\x7f]|\\[x0-7]/.test(pattern) ? CASES.other : CASES.ascii;
}

/** What is made of patterns, so many and so large together; what was used longest ago is forgotten first. What is none is kept as well. */
export class PatternCache<T extends PatternSize> {
  readonly #make: (pattern: string) => T | undefined;
  readonly #most: MostPatterns;
  readonly #kept = new Map<string, T | undefined>();
  #instructions = 0;
  #ranges = 0;
  /** Mostly the same is asked for many texts in a row. */
  #last: { readonly pattern: string; readonly found: T | undefined } | undefined;

  constructor(make: (pattern: string) => T | undefined, most: MostPatterns) {
    this.#make = make;
    this.#most = most;
  }

  /** How many there are, and how large they are together. */
  get size(): MostPatterns {
    return { patterns: this.#kept.size, instructions: this.#instructions, ranges: this.#ranges };
  }

  /** Throws whatever making it throws, and keeps nothing then. */
  find(pattern: string): T | undefined {
    if (pattern === this.#last?.pattern) return this.#last.found;
    const isKnown = this.#kept.has(pattern);
    const found = isKnown ? this.#kept.get(pattern) : this.#make(pattern);
    const { instructions, ranges } = sizeOf(pattern, found);
    if (instructions > this.#most.instructions || ranges > this.#most.ranges) return found;
    this.#kept.delete(pattern);
    this.#kept.set(pattern, found);
    if (!isKnown) {
      this.#instructions += instructions;
      this.#ranges += ranges;
    }
    this.#last = { pattern, found };
    this.#forget();
    return found;
  }

  #forget(): void {
    const most = this.#most;
    for (const [pattern, one] of this.#kept) {
      const isModest = this.#instructions <= most.instructions && this.#ranges <= most.ranges;
      if (isModest && this.#kept.size <= most.patterns) return;
      this.#kept.delete(pattern);
      const { instructions, ranges } = sizeOf(pattern, one);
      this.#instructions -= instructions;
      this.#ranges -= ranges;
    }
  }
}

/** Of what is none there is its text. */
function sizeOf(pattern: string, found: PatternSize | undefined): PatternSize {
  return found ?? { instructions: 0, ranges: pattern.length };
}
