// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { DelayQueue, TOLD_IN_A_TURN } from './delay-queue.ts';

/** A queue on a clock of its own; `runTo` sets the clock and has due keys told. */
function makeQueue() {
  let nowMs = 0;
  const told: string[] = [];
  const queue = new DelayQueue(
    (key) => told.push(`${key}@${nowMs}`),
    () => nowMs,
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

test('of thousands that are due at one moment so many are told in a turn of the loop, and all in the end', async (t) => {
  const count = 10 * TOLD_IN_A_TURN + 1;
  const turns: number[] = [];
  let now = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const told: string[] = [];
  const queue = new DelayQueue((key) => {
    told.push(key);
    // As long as it takes to find out who works on a key: the next timer is due by then.
    const until = performance.now() + 0.05;
    while (performance.now() < until);
    turns[now] = (turns[now] ?? 0) + 1;
    if (told.length === count) resolve();
  });
  const turn = (): void => {
    now += 1;
    if (told.length < count) setImmediate(turn);
  };
  setImmediate(turn);
  for (let key = 0; key < count; key += 1) queue.add(String(key), 1);
  await promise;
  t.is(new Set(told).size, count);
  t.true(Math.max(...turns.filter((made) => made > 0)) <= TOLD_IN_A_TURN, turns.join());
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
