// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { addedFigures, type Answers, type Asked } from './added-figures.ts';
import { keepsBar } from './report.ts';

/** Twenty answers of so many milliseconds, but for two slow ones. */
function answers(usual: number, slow: number): Answers {
  const milliseconds = [...Array.from({ length: 18 }, () => usual), slow, slow];
  return { milliseconds, spent: new Map([['API server', usual * 20]]) };
}

function figures(of: readonly (readonly [Asked, Answers])[], hasBars = true) {
  const all = addedFigures(new Map(of), { connections: 10, hasBars });
  return new Map(all.map((figure) => [figure.name, figure]));
}

const NOBODY = ['nobody', answers(4, 10)] as const;

test('what is added is what it takes more than when nobody is asked', (t) => {
  const found = figures([NOBODY, ['NexusOS', answers(5, 13)], ['the other', answers(8, 20)]]);
  const value = (name: string) => found.get(`10 connections${name}`)?.value;
  t.is(value(', nobody asked, p50'), 4);
  t.is(value(': added by NexusOS, p50'), 1);
  t.is(value(': added by NexusOS, p95'), 3);
  t.is(value(': added by the other, p95'), 10);
  t.is(value(': added by NexusOS / added by the other, p50'), 0.25);
  t.is(value(', the other asked: processor time of the API server'), 8);
});

const bars: Record<string, { ours: Answers; other: Answers; kept: readonly (boolean | undefined)[] }> = {
  'little, and less than half': { ours: answers(5, 12), other: answers(8, 20), kept: [true, true, true] },
  'little, and more than half': { ours: answers(7, 12), other: answers(8, 13), kept: [true, false, false] },
  'less than half of too much': { ours: answers(5, 16), other: answers(8, 30), kept: [false, true, true] },
};

for (const [name, { ours, other, kept }] of Object.entries(bars))
  test(`bars: ${name}`, (t) => {
    const found = figures([NOBODY, ['NexusOS', ours], ['the other', other]]);
    const names = [
      'added by NexusOS, p95',
      'added by NexusOS / added by the other, p50',
      'added by NexusOS / added by the other, p95',
    ];
    t.deepEqual(
      names.map((one) => keepsBar(found.get(`10 connections: ${one}`)!)),
      [...kept],
    );
  });

test('what is ours is what is added beyond a webhook that judges nothing', (t) => {
  const found = figures([NOBODY, ['an empty webhook', answers(5, 12)], ['NexusOS', answers(7, 15)]]);
  const value = (name: string) => found.get(`10 connections: added by ${name}`)?.value;
  t.is(value('an empty webhook, p50'), 1);
  t.is(value('NexusOS beyond an empty webhook, p50'), 2);
  t.is(value('NexusOS beyond an empty webhook, p95'), 3);
});

test('without the other there is nothing to compare, and without bars nothing to miss', (t) => {
  const found = figures([NOBODY, ['NexusOS', answers(50, 90)]], false);
  t.false([...found.keys()].some((name) => name.includes('the other')));
  t.true([...found.values()].every((figure) => keepsBar(figure) === undefined));
});
