// SPDX-License-Identifier: Apache-2.0
import { RE2JS, RE2JSException, RE2Set } from 're2js';
import type { Value } from '../values/value.ts';
import type { BuiltinCall } from './builtin.ts';
import { PatternCache, type PatternSize, rangesOf } from './pattern-cache.ts';
import { findAll } from './regex.ts';

/** A pattern and a text, as `regex.match` has them. */
export interface Asked extends Pick<BuiltinCall, 'expectTime'> {
  readonly pattern: string;
  readonly text: string;
}

/** What is larger is left to the module, which takes fuel for it and can be stopped in the middle. */
export const QUICK_LIMITS = { patternBytes: 1024, textBytes: 16_384 } as const;

/** What is kept in each thread. An instruction is some hundred bytes, a range up to 24 outside of the heap. */
export const MOST_KEPT = { patterns: 128, instructions: 20_000, ranges: 800_000 } as const;
/** Of instructions that a pattern is said to need before it is made, and of those that it has. */
const MOST_GUESSED = 20_000;
const MOST_INSTRUCTIONS = 2000;
/** Of ranges in all its instructions, before it is made and afterwards. */
const MOST_RANGES = 400_000;
/** Characters times instructions: what looking through a text takes at worst, and what taking it apart does. */
const MOST_TO_MATCH = 500_000;
const MOST_TO_FIND = 100_000;
/** What states of one pattern may take; the library makes them anew, or does without, where that is too little. */
const STATE_BYTES = 64 * 1024;

/** A pattern that is made once. */
export interface Kept extends PatternSize {
  readonly regex: RE2JS;
  /** Answers whether there is a match, more quickly than looking for where. */
  readonly any: RE2Set;
}

/** Patterns by their text. */
export class KeptPatterns extends PatternCache<Kept> {
  constructor() {
    super(make, MOST_KEPT);
  }
}

/** Those of this thread. */
const kept = new KeptPatterns();

/** Whether a text has a match. Undefined where the module has to look itself: the pattern is none, or it would take long. */
export function quickMatch({ pattern, text }: Asked): boolean | undefined {
  const found = kept.find(pattern);
  if (found === undefined || text.length * found.instructions > MOST_TO_MATCH) return undefined;
  return found.any.match(text).length > 0;
}

/** All matches up to so many, each with its groups; `-1n` for all. Undefined where the module has to look itself. */
export function quickFind({ most, ...asked }: Asked & { readonly most: bigint }): Value | undefined {
  const isAny = quickMatch(asked);
  if (isAny === undefined || (most < 1n && most !== -1n)) return undefined;
  if (!isAny) return [];
  const found = kept.find(asked.pattern);
  if (found === undefined || asked.text.length * found.instructions > MOST_TO_FIND) return undefined;
  const matches = findAll(found.regex, { text: asked.text, most, expectTime: asked.expectTime });
  return matches.map(({ groups }) => groups.map((one) => one ?? ''));
}

/**
 * Undefined for what is no pattern, or one that would be large. Throws whatever else is in the way, such as a stack that is at its end:
 * that says nothing of the pattern.
 */
function make(pattern: string): Kept | undefined {
  // OPA's own runtime reads patterns up to a zero.
  if (pattern.includes('\0') || isLarge(pattern)) return undefined;
  try {
    const regex = RE2JS.compile(pattern);
    const instructions = regex.programSize();
    if (instructions > MOST_INSTRUCTIONS) return undefined;
    const any = new RE2Set(RE2Set.UNANCHORED, 0, STATE_BYTES);
    any.add(pattern);
    any.compile();
    return { regex, any, instructions, ranges: rangesOf(pattern, instructions) };
  } catch (error) {
    if (error instanceof RE2JSException) return undefined;
    throw error;
  }
}

/** Before anything is made of it: that is one step, which nobody can stop. */
function isLarge(pattern: string): boolean {
  const guessed = guessedSize(pattern);
  return guessed > MOST_GUESSED || rangesOf(pattern, guessed) > MOST_RANGES;
}

/** What is repeated so often is made as often: a group with all that is in it, and groups in groups. */
function guessedSize(pattern: string): number {
  let single = 0;
  let grouped = 1;
  for (const { 1: group, 2: least, 3: most } of pattern.matchAll(/(\)?)\{(\d+)(?:,(\d*))?\}/g)) {
    const times = Math.max(Number(least), Number(most ?? 0), 1);
    if (group === '') single += times;
    else grouped *= times;
  }
  return (pattern.length + single) * grouped;
}
