// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { IN_A_TURN } from './spread-over-turns.ts';
import { Wakes } from './wakes.ts';

/** Wakes whose turns of the loop are given by hand, and what was added in each. */
function makeWakes() {
  const turns: string[][] = [[]];
  const next: (() => void)[] = [];
  const wakes = new Wakes(
    (key, withinMs) => turns.at(-1)?.push(`${key} ${withinMs}`),
    (what) => next.push(what),
  );
  const turn = (): boolean => {
    const waiting = next.splice(0);
    turns.push([]);
    for (const one of waiting) one();
    return waiting.length > 0;
  };
  return { wakes, turns, turn };
}

const keys = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => ({ name: `k${from + index}` }));

test('few are woken at once', (t) => {
  const { wakes, turns, turn } = makeWakes();
  wakes.wake(keys(IN_A_TURN), 5);
  t.is(turns[0]?.length, IN_A_TURN);
  t.false(turn());
});

test('of many so many are woken in a turn, in their order, and each of them once', (t) => {
  const { wakes, turns, turn } = makeWakes();
  const count = 10 * IN_A_TURN + 1;
  wakes.wake(keys(count), 0);
  while (turn());
  t.true(turns.every((woken) => woken.length <= IN_A_TURN));
  t.deepEqual(
    turns.flat(),
    keys(count).map(({ name }) => `${name} 0`),
  );
});

test('who waits to be woken waits once, as long as he may at least', (t) => {
  const { wakes, turns, turn } = makeWakes();
  const count = 3 * IN_A_TURN;
  wakes.wake(keys(count), 200);
  wakes.wake(keys(count), 100);
  wakes.wake(keys(count), 300);
  while (turn());
  const woken = turns.flat();
  // Those of the first turn had been woken before there was another reason.
  t.is(woken.filter((one) => one.endsWith(' 200')).length, IN_A_TURN);
  t.is(woken.filter((one) => one.endsWith(' 100')).length, count);
  t.is(woken.length, count + IN_A_TURN);
});

test('few go ahead of many that wait', (t) => {
  const { wakes, turns, turn } = makeWakes();
  wakes.wake(keys(10 * IN_A_TURN), 0);
  wakes.wake([{ namespace: 'team', name: 'urgent' }], 0);
  t.is(turns[0]?.at(-1), 'team/urgent 0');
  while (turn());
  t.is(turns.flat().length, 10 * IN_A_TURN + 1);
});

test('what is woken while others are is not lost', (t) => {
  const added: string[] = [];
  const next: (() => void)[] = [];
  const wakes: Wakes = new Wakes(
    (key) => {
      added.push(key);
      if (key === 'k70') wakes.wake(keys(100, 1000), 0);
    },
    (what) => next.push(what),
  );
  wakes.wake(keys(100), 0);
  for (let what = next.shift(); what !== undefined; what = next.shift()) what();
  t.is(new Set(added).size, 200);
  t.is(added.length, 200);
});
