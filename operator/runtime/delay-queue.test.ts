// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { DelayQueue } from './delay-queue.ts';
import { IN_A_TURN } from './spread-over-turns.ts';

/** A queue on a clock of its own; `runTo` sets the clock and has due keys told. */
function makeQueue(nextTurn?: (what: () => void) => void) {
  let nowMs = 0;
  const told: string[] = [];
  const queue = new DelayQueue(
    (key) => told.push(`${key}@${nowMs}`),
    () => nowMs,
    nextTurn,
  );
  return {
    queue,
    told,
    runTo: (ms: number) => {
      nowMs = ms;
      queue.fire();
    },
  };
}

test('keys are due in order of time, each once, at the earliest time asked for', (t) => {
  const { queue, told, runTo } = makeQueue();
  t.teardown(() => queue.clear());
  queue.add('late', 300);
  queue.add('soon', 100);
  queue.add('late', 200);
  queue.add('soon', 500);
  runTo(99);
  t.deepEqual(told, []);
  runTo(100);
  runTo(200);
  runTo(1000);
  t.deepEqual(told, ['soon@100', 'late@200']);
});

test('what was cancelled is not due, and may be asked for again', (t) => {
  const { queue, told, runTo } = makeQueue();
  t.teardown(() => queue.clear());
  queue.add('a', 100);
  queue.cancel('a');
  queue.add('a', 300);
  runTo(150);
  t.deepEqual(told, []);
  runTo(300);
  t.deepEqual(told, ['a@300']);
});

test('any sequence of delays comes out sorted and complete', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(1000)), { maxLength: 200 }), (adds) => {
      const order: number[] = [];
      const earliest = new Map<string, number>();
      let nowMs = 0;
      const queue = new DelayQueue(
        (key) => order.push(earliest.get(key) ?? -1),
        () => nowMs,
      );
      for (const [key, delay] of adds) {
        queue.add(String(key), delay);
        earliest.set(String(key), Math.min(earliest.get(String(key)) ?? delay, delay));
      }
      nowMs = 1000;
      queue.fire();
      t.deepEqual(
        order,
        [...earliest.values()].toSorted((a, b) => a - b),
      );
      t.is(queue.size, 0);
      queue.clear();
    }),
  );
});

test('of thousands that are due at one moment so many are told in a turn of the loop, and all in the end', (t) => {
  const turns: (() => void)[] = [];
  const { queue, told, runTo } = makeQueue((what) => turns.push(what));
  t.teardown(() => queue.clear());
  for (let key = 0; key < 10 * IN_A_TURN; key += 1) queue.add(String(key), 1);
  runTo(1);
  t.is(told.length, IN_A_TURN);
  queue.add('last', 0);
  // As its timer would for what was added: that is told with the rest.
  queue.fire();
  t.is(told.length, IN_A_TURN);
  for (let turn = 2; turns.length > 0; turn += 1) {
    t.is(turns.length, 1);
    turns.shift()?.();
    t.is(told.length, Math.min(turn * IN_A_TURN, 10 * IN_A_TURN + 1));
  }
  t.is(new Set(told).size, 10 * IN_A_TURN + 1);
  t.is(queue.size, 0);
});

test('one timer serves real time', async (t) => {
  const due: string[] = [];
  await new Promise<void>((resolve) => {
    const queue = new DelayQueue((key) => {
      due.push(key);
      if (due.length === 3) resolve();
    });
    queue.add('c', 30);
    queue.add('a', 1);
    queue.add('b', 15);
  });
  t.deepEqual(due, ['a', 'b', 'c']);
});
