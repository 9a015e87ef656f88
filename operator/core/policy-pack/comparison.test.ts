// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import {
  addCounts,
  doubtsOf,
  faultsOf,
  faultWords,
  NO_COUNTS,
  type PairBounds,
  type PairCounts,
} from './comparison.ts';
import { isAbove, logEvidence } from './evidence.ts';

/** The first that is shown. */
const faultOf = (counts: PairCounts, bounds: PairBounds) => faultsOf(counts, bounds)[0];
const BOUNDS: PairBounds = { newlyDenied: 0.05, newlyAllowed: 0.1, failed: 0.01 };

interface Case {
  readonly counts: Partial<PairCounts>;
  readonly want: string | undefined;
  readonly wantDoubts?: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  'nothing was compared yet': { counts: {}, want: undefined },
  'both say the same': { counts: { bothAllowed: 900, bothDenied: 100 }, want: undefined },
  'one new denial among few is a doubt, and no proof': {
    counts: { bothAllowed: 9, newlyDenied: 1 },
    want: undefined,
    wantDoubts: ['NewlyDenied'],
  },
  'denials within the bound are neither': { counts: { bothAllowed: 960, newlyDenied: 40 }, want: undefined },
  'a third is newly denied': { counts: { bothAllowed: 28, newlyDenied: 12 }, want: 'NewlyDenied' },
  'everything is newly denied: some requests are enough': { counts: { newlyDenied: 5 }, want: 'NewlyDenied' },
  'what is denied so far is allowed, among many that both allow': {
    counts: { bothAllowed: 10_000, newlyAllowed: 6, bothDenied: 1 },
    want: 'NewlyAllowed',
  },
  'one denial of a protected subject is one too many': {
    counts: { bothAllowed: 100_000, protectedDenied: 1 },
    want: 'ProtectedDenied',
  },
  'stopped at its deadline twice may be the machine': {
    counts: { bothAllowed: 1000, timeouts: 2 },
    want: undefined,
  },
  'stopped at its deadline three times': { counts: { bothAllowed: 100_000, timeouts: 3 }, want: 'TimedOut' },
  'it crashes': { counts: { errors: 4 }, want: 'Failing' },
  'it crashes within its budget': { counts: { bothAllowed: 995, errors: 5 }, want: undefined },
  'each fifth answer takes too long': { counts: { bothAllowed: 100, slow: 20 }, want: 'Slow' },
  'each fiftieth does': { counts: { bothAllowed: 1000, slow: 20 }, want: undefined },
};

for (const [name, { counts, want, wantDoubts }] of Object.entries(CASES)) {
  test(`a candidate is undone, or not: ${name}`, (t) => {
    const all = { ...NO_COUNTS, ...counts };
    t.is(faultOf(all, BOUNDS)?.kind, want as never);
    if (wantDoubts !== undefined)
      t.deepEqual(doubtsOf(all, BOUNDS).map(({ kind }) => kind) as string[], wantDoubts);
  });
}

test('none of what a bound of zero forbids is allowed, and all of what one of a hundred percent does', (t) => {
  const once = { ...NO_COUNTS, bothAllowed: 5000, newlyDenied: 1 };
  t.is(faultOf(once, { ...BOUNDS, newlyDenied: 0 })?.kind, 'NewlyDenied');
  t.is(faultOf({ ...NO_COUNTS, newlyDenied: 5000 }, { ...BOUNDS, newlyDenied: 1 }), undefined);
});

test('a fault says what was seen, of how many, and what is allowed', (t) => {
  const fault = faultOf({ ...NO_COUNTS, bothAllowed: 28, newlyDenied: 12 }, BOUNDS);
  t.is(fault && faultWords(fault), 'it denied what is allowed so far: 12 of 40 requests (allowed: 5 %)');
});

test('counts of replicas add up to the same in any order', (t) => {
  const one = { ...NO_COUNTS, bothAllowed: 3, errors: 1 };
  const other = { ...NO_COUNTS, bothAllowed: 4, slow: 2, newlyAllowed: 1 };
  t.deepEqual(addCounts([one, other]), addCounts([other, one]));
  t.is(addCounts([one, other]).bothAllowed, 7);
});

/** Mulberry32: the same numbers each time. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Play {
  readonly rate: number;
  readonly tries: number;
  readonly isFound: (seen: number, of: number) => boolean;
  readonly random: () => number;
}

/** After how many requests it is found when one looks after each; undefined when it never is. */
function foundAfter({ rate, tries, isFound, random }: Play): number | undefined {
  let seen = 0;
  for (let of = 1; of <= tries; of += 1) {
    if (random() < rate) seen += 1;
    if (isFound(seen, of)) return of;
  }
  return undefined;
}

const ALPHA = 0.05;
const PATHS = 2000;

/** The share of paths on which an alarm is ever raised though the true rate is the bound itself, the worst that is still allowed. */
function falseAlarms(bound: number, isFound: Play['isFound']): number {
  const random = randomOf(7);
  const alarms = Array.from({ length: PATHS }, () =>
    foundAfter({ rate: bound, tries: 1000, isFound, random }),
  );
  return alarms.filter((one) => one !== undefined).length / PATHS;
}

for (const bound of [0.01, 0.05, 0.2]) {
  test(`looking after each of 1000 requests raises a false alarm on at most 5 of 100 paths; bound ${bound}`, (t) => {
    const share = falseAlarms(bound, (seen, of) => isAbove({ seen, of }, bound, ALPHA));
    t.true(share <= ALPHA, `${share}`);
  });
}

test('the simulation can tell: a test that is meant for one look raises many false alarms', (t) => {
  const bound = 0.05;
  const share = falseAlarms(
    bound,
    (seen, of) => of >= 20 && seen / of > bound + 1.645 * Math.sqrt((bound * (1 - bound)) / of),
  );
  t.true(share > 0.3, `${share}`);
});

function isUndone(seen: number, of: number): boolean {
  return faultOf({ ...NO_COUNTS, newlyDenied: seen, bothAllowed: of - seen }, BOUNDS) !== undefined;
}

test('a candidate that newly denies 30 % is found within 70 requests in 99 of 100 cases', (t) => {
  const random = randomOf(11);
  const after = Array.from({ length: PATHS }, () =>
    foundAfter({ rate: 0.3, tries: 400, isFound: isUndone, random }),
  );
  const late = after.filter((one) => one === undefined || one > 70);
  t.true(
    late.length <= PATHS / 100,
    `${late.length}; worst ${Math.max(...after.map((one) => one ?? Infinity))}`,
  );
});

test('evidence has a mean of at most 1 at the bound, whatever number of requests: it is a fair game', (t) => {
  const bound = 0.05;
  for (const tries of [1, 5, 20]) {
    let mean = 0;
    for (let seen = 0; seen <= tries; seen += 1) {
      const chance = choose(tries, seen) * bound ** seen * (1 - bound) ** (tries - seen);
      mean += chance * Math.exp(logEvidence({ seen, of: tries }, bound));
    }
    t.true(Math.abs(mean - 1) < 1e-9, `${tries}: ${mean}`);
  }
});

function choose(tries: number, seen: number): number {
  return Array.from({ length: seen }, (_, i) => (tries - i) / (i + 1)).reduce((a, b) => a * b, 1);
}
