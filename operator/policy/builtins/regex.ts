// SPDX-License-Identifier: Apache-2.0
import { RE2JS, RE2JSException } from 're2js';
import type { Value } from '../values/value.ts';
import {
  type BuiltinCall,
  type Builtins,
  expectModest,
  expectShort,
  ofTexts,
  ofTextsInTime,
  wholeOf,
} from './builtin.ts';
import { PatternCache, type PatternSize, rangesOf } from './pattern-cache.ts';

/** What is kept in each thread; what is larger by itself is made each time. A range takes up to 16 bytes outside of the heap. */
export const MOST_CACHED = { patterns: 128, instructions: 20_000, ranges: 400_000 } as const;
const cache = new PatternCache(make, MOST_CACHED);

/** A pattern that is made once. */
interface Made extends PatternSize {
  readonly regex: RE2JS;
}

/** Where a match begins and ends, and each of its groups. A group that has no part in it is undefined. */
interface Match {
  readonly start: number;
  readonly end: number;
  readonly groups: readonly (string | undefined)[];
  readonly names: Readonly<Record<string, number>>;
}

/** A text, and whom to ask for time between two matches. */
interface Searched extends Pick<BuiltinCall, 'expectTime'> {
  readonly text: string;
}

/** Patterns as RE2 has them: an engine that takes linear time, whatever the pattern. */
export const REGEX_BUILTINS: Builtins = {
  'regex.split': ofTextsInTime(
    ({ expectTime }) =>
      (pattern, text) =>
        withPattern(pattern, (regex) => split(regex, { text, expectTime })),
  ),
  'regex.find_n': ([pattern, text, most], { expectTime }) => {
    const count = wholeOf(most);
    if (typeof pattern !== 'string' || typeof text !== 'string' || count === undefined) return undefined;
    return withPattern(pattern, (regex) =>
      findAll(regex, { text, most: count, expectTime }).map(({ start, end }) => text.slice(start, end)),
    );
  },
  'regex.replace': ofTextsInTime(
    ({ expectTime }) =>
      (text, pattern, replacement) =>
        withPattern(pattern, (regex) => replace(regex, { text, expectTime }, replacement)),
  ),
  'regex.template_match': ofTexts(templateMatch),
};

function withPattern(pattern: string, use: (regex: RE2JS) => Value): Value | undefined {
  const regex = compile(pattern);
  return regex === undefined ? undefined : use(regex);
}

/** Undefined for what is no pattern. */
function compile(pattern: string): RE2JS | undefined {
  return cache.find(pattern)?.regex;
}

/** Throws what says nothing of the pattern, such as that the stack is at its end: it must not be taken for none. */
function make(pattern: string): Made | undefined {
  try {
    const regex = RE2JS.compile(pattern);
    const instructions = regex.programSize();
    return { regex, instructions, ranges: rangesOf(pattern, instructions) };
  } catch (error) {
    if (error instanceof RE2JSException) return undefined;
    throw error;
  }
}

/** All matches from left to right, as Go finds them: none that is empty directly after another. */
export function findAll(
  regex: RE2JS,
  { text, most, expectTime }: Searched & { readonly most: bigint },
): readonly Match[] {
  const limit = most < 0n ? Number.POSITIVE_INFINITY : Number(most);
  const matcher = regex.matcher(text);
  const names = regex.namedGroups();
  const matches: Match[] = [];
  let previousEnd = -1;
  for (let at = 0; at <= text.length && matches.length < limit && matcher.find(at); ) {
    expectTime();
    const [start, end] = [matcher.start(), matcher.end()];
    const isEmpty = end === at;
    if (!isEmpty || start !== previousEnd) {
      const groups = Array.from(
        { length: matcher.groupCount() + 1 },
        (_, index) => matcher.group(index) ?? undefined,
      );
      matches.push({ start, end, groups, names });
      expectModest('a regular expression', matches.length);
    }
    at = isEmpty ? end + characterLength(text, end) : end;
    previousEnd = end;
  }
  return matches;
}

/** In halves of code points; one at the end of the text. */
function characterLength(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

function split(regex: RE2JS, searched: Searched): readonly string[] {
  const { text } = searched;
  if (regex.pattern() !== '' && text === '') return [''];
  const pieces: string[] = [];
  let [from, to] = [0, 0];
  for (const { start, end } of findAll(regex, { ...searched, most: -1n })) {
    to = start;
    if (end !== 0) pieces.push(text.slice(from, to));
    from = end;
  }
  if (to !== text.length) pieces.push(text.slice(from));
  return pieces;
}

function replace(regex: RE2JS, searched: Searched, replacement: string): string {
  const { text } = searched;
  const parts: string[] = [];
  let from = 0;
  let length = text.length;
  for (const match of findAll(regex, { ...searched, most: -1n })) {
    const expanded = expand(replacement, match);
    length += expanded.length;
    expectShort('regex.replace', length);
    parts.push(text.slice(from, match.start), expanded);
    from = match.end;
  }
  return [...parts, text.slice(from)].join('');
}

/** `$1`, `${1}` and `${name}` stand for groups, `$$` for a dollar sign; groups that are not there for nothing. */
function expand(replacement: string, { groups, names }: Match): string {
  return replacement.replace(/\$(?:\$|[\p{L}\p{Nd}_]+|\{[\p{L}\p{Nd}_]+\})/gu, (found) => {
    if (found === '$$') return '$';
    const name = found.replaceAll(/[${}]/g, '');
    const index = /^[0-9]{1,8}$/.test(name) ? Number(name) : names[name];
    return index === undefined ? '' : (groups[index] ?? '');
  });
}

/** Text, in which what stands between two delimiters is a pattern. */
function templateMatch(template: string, text: string, ...delimiters: readonly string[]): Value | undefined {
  const parts = delimiters.every((one) => byteLength(one) === 1)
    ? templateParts(template, delimiters)
    : undefined;
  if (parts === undefined) return undefined;
  const patterns = parts.filter((_, index) => index % 2 === 1);
  if (patterns.some((pattern) => compile(`^${pattern}$`) === undefined)) return undefined;
  const whole = parts.map((part, index) => (index % 2 === 1 ? `(${part})` : RE2JS.quote(part))).join('');
  return withPattern(`^${whole}$`, (regex) => regex.matcher(text).find());
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Text and patterns in turn, beginning with text; undefined where a delimiter is without the other. */
function templateParts(template: string, delimiters: readonly string[]): readonly string[] | undefined {
  const [start, end] = delimiters;
  const parts = [''];
  let level = 0;
  for (const character of template) {
    const before = level;
    if (character === start) level += 1;
    else if (character === end) level -= 1;
    if (level < 0) return undefined;
    // Delimiters within a pattern are part of it.
    if (before + level === 1) parts.push('');
    else parts.push(`${parts.pop() ?? ''}${character}`);
  }
  return level === 0 ? parts : undefined;
}
