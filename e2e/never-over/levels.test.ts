// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { createsPod, createsRun, deletesPod, type Forged, instant, tellsPod, trailOf } from './forged.ts';
import { earlyStarts, type LevelRules, levelsOf } from './levels.ts';
import { sessionOf } from './trail.ts';

/** Two at one time; of a session one. */
const RULES: LevelRules = {
  limits: new Map([
    ['Runs', 2],
    ['session s', 1],
  ]),
  holdsOf: (_, run) => {
    const session = sessionOf(run);
    return [
      { of: 'Runs', amount: 1 },
      ...(session === undefined ? [] : [{ of: `session ${session}`, amount: 1 }]),
    ];
  },
};

const CASES: Readonly<
  Record<string, { readonly trail: readonly Forged[]; readonly most: number; readonly over: number }>
> = {
  'as many as may be': { trail: [createsPod('a'), createsPod('b')], most: 2, over: 0 },
  'one too many': { trail: [createsPod('a'), createsPod('b'), createsPod('c')], most: 3, over: 1 },
  'one too many, for a moment between two that are lawful': {
    trail: [createsPod('a'), createsPod('b'), createsPod('c'), tellsPod('a', 'Succeeded')],
    most: 3,
    over: 1,
  },
  'one in the place of one that has ended': {
    trail: [createsPod('a'), createsPod('b'), tellsPod('a', 'Failed'), createsPod('c')],
    most: 2,
    over: 0,
  },
  'one in the place of one that is only told to end': {
    trail: [createsPod('a'), createsPod('b'), deletesPod('a', 30), createsPod('c')],
    most: 3,
    over: 1,
  },
  'what is told of one again and again counts once': {
    trail: [createsPod('a'), tellsPod('a', 'Pending'), tellsPod('a', 'Running'), createsPod('b')],
    most: 2,
    over: 0,
  },
  'two of one session': {
    trail: [
      createsRun('a', { session: 's' }),
      createsRun('b', { session: 's' }),
      createsPod('a'),
      createsPod('b'),
    ],
    most: 2,
    over: 1,
  },
};

for (const [title, { trail, most, over }] of Object.entries(CASES)) {
  test(`levels: ${title}`, (t) => {
    const { peaks, overshoots } = levelsOf(trailOf(...trail), RULES);
    t.is(peaks.get('Runs'), most);
    t.is(overshoots.length, over, overshoots.join('\n'));
  });
}

test('levels: an overshoot says what, how much, by whom and when', (t) => {
  const { overshoots } = levelsOf(trailOf(createsPod('a'), createsPod('b'), createsPod('c')), RULES);
  t.deepEqual(overshoots, ['3 of 2 Runs, with acme-main/c-1 at version 102']);
});

/** The first pod of a Run, so many seconds after the beginning. */
const starts = (run: string, at: number, attempt = 1): Forged => ({ ...createsPod(run, attempt), at });
const created = ['a', 'b', 'c', 'd'].map((name) => ({ ...createsRun(name), at: 0 }));

const RATES: Readonly<Record<string, { readonly trail: readonly Forged[]; readonly early: number }>> = {
  'a burst, and one each second': {
    trail: [starts('a', 0), starts('b', 0.1), starts('c', 1.05), starts('d', 2.01)],
    early: 0,
  },
  'one more than the burst': { trail: [starts('a', 0), starts('b', 0.1), starts('c', 0.9)], early: 1 },
  'late ones, all at once': { trail: ['a', 'b', 'c', 'd'].map((run) => starts(run, 5)), early: 0 },
  'another attempt is no start': {
    trail: [starts('a', 0), starts('b', 0.1), starts('a', 0.2, 2)],
    early: 0,
  },
};

for (const [title, { trail, early }] of Object.entries(RATES)) {
  test(`rate: ${title}`, (t) => {
    const rates = new Map([['acme-main', { perSecond: 1, burst: 2 }]]);
    const found = earlyStarts(
      trailOf(...created, ...trail),
      rates,
      ({ metadata }) => `${metadata.namespace}`,
    );
    t.is(found.length, early, found.join('\n'));
  });
}

test('rate: counts from the second in which the first was created, not from when it was answered', (t) => {
  const late: Forged = {
    ...createsRun('a'),
    at: 3,
    metadata: { ...createsRun('a').metadata, creationTimestamp: instant(0) },
  };
  const rates = new Map([['acme', { perSecond: 1, burst: 1 }]]);
  const trail = trailOf(late, createsRun('b'), starts('a', 3), starts('b', 3.1));
  t.deepEqual(
    earlyStarts(trail, rates, () => 'acme'),
    [],
  );
});
