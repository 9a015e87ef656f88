// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { RE2JS } from 're2js';
import { PatternCache, rangesOf } from './pattern-cache.ts';

/** What RE2JS has inside, as of the version that is pinned. */
interface Program {
  readonly inst: readonly { readonly runes: ArrayLike<number> }[];
}
interface Inside {
  readonly re2Input: { readonly prog: Program; readonly onepass: Program | null };
}

const PATTERNS = [
  'a',
  '[a-z0-9_]{40}',
  '^\\pL{990}$',
  '^[^\\p{L}\\d]{20}',
  '\\p{C}\\P{C}',
  '^\\W{30}$',
  '(?i)^\\W{30}[k-s]{9}$',
  '(?i)^[ɐ-ʯ]{100}$',
  '(?i)^[\\x{250}-\\x{2af}]{100}$',
  '(?i)^[ⱠⱢⱣⱤⱭ]{100}$',
  '^[[:^alpha:]]{40}$',
  '^[]\\pL]{40}$',
  `^${'('.repeat(200)}\\pL${')'.repeat(200)}$`,
  `^(?:${Array.from({ length: 120 }, (_, index) => `${String.fromCodePoint(0x4e00 + 2 * index)}x`).join('|')})y$`,
  `^${Array.from({ length: 100 }, (_, index) => `${String.fromCodePoint(0x4e00 + 2 * index)}?`).join('')}\\p{Lu}$`,
];

for (const pattern of PATTERNS) {
  test(`no program has more ranges than it is said to have: ${pattern.slice(0, 40)}`, (t) => {
    const regex = RE2JS.compile(pattern);
    const { prog, onepass } = (regex as unknown as { readonly re2Input: unknown } as Inside).re2Input;
    const said = rangesOf(pattern, regex.programSize());
    t.true(rangesIn(prog) > 0, 'it can be counted');
    t.true(said >= rangesIn(prog), `${said} of ${rangesIn(prog)}`);
    t.true(said >= rangesIn(onepass), `${said} of ${rangesIn(onepass)} where it is certain what is next`);
  });
}

function rangesIn(program: Program | null): number {
  return (program?.inst ?? []).reduce((sum, { runes }) => sum + Math.ceil(runes.length / 2), 0);
}

test('to say how large a pattern is takes about as long as the pattern is', (t) => {
  for (const part of ['[', '\\p{', '[[:', '(', '\\']) t.true(rangesOf(part.repeat(500_000), 1) > 0, part);
});

const MOST = { patterns: 3, instructions: 100, ranges: 1000 };

test('what is larger than all that is kept is made each time, and nothing else is forgotten for it', (t) => {
  const made: string[] = [];
  const cache = new PatternCache((pattern) => {
    made.push(pattern);
    return { instructions: 1, ranges: pattern === 'large' ? 1001 : 1 };
  }, MOST);
  for (const pattern of ['a', 'b', 'large', 'large', 'a', 'b']) t.truthy(cache.find(pattern));
  t.deepEqual(made, ['a', 'b', 'large', 'large']);
  t.deepEqual(cache.size, { patterns: 2, instructions: 2, ranges: 2 });
});

test('what was used longest ago is forgotten first, by number and by size', (t) => {
  const cache = new PatternCache(
    (pattern) => ({ instructions: 1, ranges: pattern === 'wide' ? 999 : 1 }),
    MOST,
  );
  const kept = ['a', 'b', 'c'].map((one) => cache.find(one));
  t.is(cache.find('a'), kept[0]);
  cache.find('d');
  t.is(cache.find('a'), kept[0], 'b was forgotten');
  t.is(cache.find('c'), kept[2]);
  cache.find('wide');
  t.deepEqual(cache.size, { patterns: 2, instructions: 2, ranges: 1000 });
  t.is(cache.find('c'), kept[2]);
});

test('what could not be made is asked for anew, and what is none is kept', (t) => {
  const tries: string[] = [];
  const cache = new PatternCache((pattern) => {
    tries.push(pattern);
    if (tries.length === 1) throw new RangeError('Maximum call stack size exceeded');
    return undefined;
  }, MOST);
  t.throws(() => cache.find('a'), { instanceOf: RangeError });
  t.deepEqual(cache.size, { patterns: 0, instructions: 0, ranges: 0 });
  for (let round = 0; round < 2; round += 1) {
    t.is(cache.find('a'), undefined);
    t.is(cache.find('b'), undefined);
  }
  t.deepEqual(tries, ['a', 'a', 'b']);
});
