// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { IN_A_TURN, spreadOverTurns } from './spread-over-turns.ts';

/** What is done with `items` in each turn of the loop, these given by hand; `meanwhile` is called between two of them. */
function spread(items: Iterable<number>, { most = IN_A_TURN, meanwhile = (_turn: number) => {} } = {}) {
  const turns: number[][] = [[]];
  const next: (() => void)[] = [];
  let ends = 0;
  spreadOverTurns(items, (item) => turns.at(-1)?.push(item), {
    most,
    nextTurn: (what) => next.push(what),
    onEnd: () => {
      ends += 1;
    },
  });
  for (let what = next.shift(); what !== undefined; what = next.shift()) {
    meanwhile(turns.length);
    turns.push([]);
    what();
  }
  return { turns, ends };
}

function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, number) => number);
}

test('few are done at once', (t) => {
  t.deepEqual(spread(upTo(IN_A_TURN - 1)), { turns: [upTo(IN_A_TURN - 1)], ends: 1 });
  t.deepEqual(spread([]), { turns: [[]], ends: 1 });
});

test('of many so many are done in a turn, in their order, each once, and the end is told once', (t) => {
  const { turns, ends } = spread(upTo(10), { most: 4 });
  t.deepEqual(turns, [
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
  ]);
  t.is(ends, 1);
});

test('what comes and goes before its turn is done and not done', (t) => {
  const items = new Set(upTo(8));
  const { turns, ends } = spread(items, {
    most: 4,
    meanwhile: (turn) => {
      items.delete(5);
      if (turn === 1) items.add(9);
    },
  });
  t.deepEqual(turns.flat(), [0, 1, 2, 3, 4, 6, 7, 9]);
  t.is(ends, 1);
});

test('in between, the loop of the process does what else waits for it', async (t) => {
  let turn = 0;
  const count = (): void => {
    turn += 1;
    waiting = setImmediate(count);
  };
  let waiting = setImmediate(count);
  const done: number[] = [];
  await new Promise<void>((onEnd) => spreadOverTurns(upTo(3), () => done.push(turn), { most: 1, onEnd }));
  clearImmediate(waiting);
  t.is(new Set(done).size, 3, done.join());
});
