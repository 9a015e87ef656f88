// SPDX-License-Identifier: Apache-2.0
import { setImmediate } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '#hack/tools/eventually';
import { createMetrics } from '../telemetry/metrics.ts';
import { WorkQueue } from './workqueue.ts';

/** A queue that gives 14 keys of a group out at once, and 4 beside others, by a clock of its own. */
function makeQueue(t: ExecutionContext) {
  const clock = { ms: 0 };
  const queue = new WorkQueue({
    name: 'q',
    groupOf: (key) => key.split('/')[0] ?? '',
    mostOfGroup: 14,
    mostBesideOthers: 4,
    now: () => clock.ms,
    backoff: { baseMs: 1, maxMs: 10, jitter: 0 },
    metrics: createMetrics(),
  });
  t.teardown(() => queue.shutDown());
  queue.resume();
  return { clock, queue };
}

test('one group has few workers while others are there, and for two seconds more', async (t) => {
  const { clock, queue } = makeQueue(t);
  const taken: string[] = [];
  for (let i = 0; i < 40; i += 1) void queue.take().then((key) => taken.push(key ?? ''));
  queue.add('small/0');
  for (let i = 0; i < 50; i += 1) queue.add(`big/${i}`);
  await setImmediate();
  t.is(taken.length, 5, 'while the other is worked on');
  queue.done('small/0');
  clock.ms = 1600;
  for (const key of taken.slice(1)) queue.done(key);
  await setImmediate();
  t.is(taken.length, 9, 'four for four that are done');
  clock.ms = 1999;
  queue.done('big/4');
  await setImmediate();
  t.is(taken.length, 10, 'one for one that is done');
  clock.ms = 2000;
  queue.done('big/5');
  await setImmediate();
  t.is(queue.working, 14, 'alone');
  queue.add('small/1');
  await setImmediate();
  t.is(taken.at(-1), 'small/1', 'at once, whatever the other has');
  queue.done('big/6');
  await setImmediate();
  t.is(queue.working, 14, 'and that gets no more until it has few');
});

test('who was kept back for those two seconds goes on when they are over, though none of its passes ends', async (t) => {
  const { clock, queue } = makeQueue(t);
  for (let i = 0; i < 16; i += 1) void queue.take();
  queue.add('small/0');
  queue.done('small/0');
  clock.ms = 1995;
  for (let i = 0; i < 200; i += 1) queue.add(`big/${i}`);
  await setImmediate();
  t.is(queue.working, 4, 'before');
  clock.ms = 2000;
  await eventually('it has all that it may have alone', async () => queue.working === 14);
});

test('another that comes meanwhile has it kept back for longer', async (t) => {
  const { clock, queue } = makeQueue(t);
  for (let i = 0; i < 21; i += 1) void queue.take();
  queue.add('small/0');
  queue.done('small/0');
  clock.ms = 1995;
  for (let i = 0; i < 200; i += 1) queue.add(`big/${i}`);
  queue.add('small/1');
  queue.done('small/1');
  clock.ms = 3900;
  for (let i = 0; i < 4; i += 1) queue.done(`big/${i}`);
  clock.ms = 3994;
  // Asks again, and changes nothing: too early by a millisecond.
  queue.add('big/200');
  t.is(queue.working, 4, 'before');
  clock.ms = 3995;
  await eventually('it has all that it may have alone', async () => queue.working === 14);
});

test('who takes long beside others is not counted, and another of its group goes on', async (t) => {
  const { clock, queue } = makeQueue(t);
  const taken: string[] = [];
  for (let i = 0; i < 40; i += 1) void queue.take().then((key) => taken.push(key ?? ''));
  queue.add('small/0');
  for (let i = 0; i < 50; i += 1) queue.add(`big/${i}`);
  await setImmediate();
  t.is(queue.working, 5, 'it has four');
  clock.ms = 499;
  queue.add('big/50');
  await setImmediate();
  t.is(queue.working, 5, 'too early by a millisecond');
  clock.ms = 500;
  await eventually('four others go on', async () => queue.working === 9);
  clock.ms = 1000;
  await eventually('and four more', async () => queue.working === 13);
  clock.ms = 1500;
  await eventually('as many as it may have alone', async () => queue.working === 15);
  queue.add('small/1');
  await setImmediate();
  t.is(taken.at(-1), 'small/1', 'at once, whatever the other has');
});
