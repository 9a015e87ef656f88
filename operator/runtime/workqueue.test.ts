// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { createMetrics } from '../telemetry/metrics.ts';
import { FairQueue } from './fair-queue.ts';
import { Ring } from './ring.ts';
import { eventually } from './testing/eventually.ts';
import { WorkQueue } from './workqueue.ts';

const groupOf = (key: string) => key.split('/')[0] ?? '';

function makeQueue(t: ExecutionContext, backoff = { baseMs: 1, maxMs: 10, jitter: 0 }): WorkQueue {
  const queue = new WorkQueue({ name: 'q', groupOf, backoff, metrics: createMetrics() });
  t.teardown(() => queue.shutDown());
  queue.resume();
  return queue;
}

test('a ring gives back what it was given, in order', (t) => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer(), { nil: undefined })), (steps) => {
      const ring = new Ring<number>();
      const model: number[] = [];
      for (const step of steps) {
        if (step === undefined) t.is(ring.shift(), model.shift());
        else {
          ring.push(step);
          model.push(step);
        }
        t.is(ring.size, model.length);
      }
    }),
  );
});

test('a single key waits for one key of each other group, not for thousands', (t) => {
  const queue = new FairQueue();
  for (let i = 0; i < 5000; i += 1) queue.push(`big/${i}`, 'big');
  queue.push('small/0', 'small');
  const first = [queue.shift(), queue.shift(), queue.shift()];
  t.deepEqual(first, ['big/0', 'small/0', 'big/1']);
  t.is(queue.size, 4998);
});

test('nothing is lost and nothing comes twice from a fair queue', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(100))), (pushes) => {
      const queue = new FairQueue();
      for (const [group, key] of pushes) queue.push(String(key), String(group));
      const got: string[] = [];
      for (let key = queue.shift(); key !== undefined; key = queue.shift()) got.push(key);
      t.deepEqual(got.toSorted(), pushes.map(([, key]) => String(key)).toSorted());
      t.is(queue.size, 0);
    }),
  );
});

test('a key that is added many times waits once', async (t) => {
  const queue = makeQueue(t);
  for (let i = 0; i < 100; i += 1) queue.add('a/1');
  t.is(queue.depth, 1);
  t.is(await queue.take(), 'a/1');
  t.is(queue.depth, 0);
});

test('a key is worked on by one worker at a time, and again when it was added meanwhile', async (t) => {
  const queue = makeQueue(t);
  queue.add('a/1');
  t.is(await queue.take(), 'a/1');
  queue.add('a/1');
  t.is(queue.depth, 0, 'it waits for the worker');
  queue.done('a/1');
  t.is(queue.depth, 1);
  t.is(await queue.take(), 'a/1');
  queue.done('a/1');
  t.is(queue.depth, 0);
});

test('nothing is given out while paused, and nothing is forgotten', async (t) => {
  const queue = makeQueue(t);
  queue.pause();
  queue.add('a/1');
  const taken = queue.take();
  t.is(queue.working, 0);
  t.is(queue.depth, 1);
  queue.resume();
  t.is(await taken, 'a/1');
});

test('a failure waits longer each time, until forgotten', async (t) => {
  const queue = makeQueue(t, { baseMs: 20, maxMs: 10_000, jitter: 0 });
  const waited = async () => {
    const startedAt = performance.now();
    queue.retry('a/1');
    const key = await queue.take();
    queue.done(key ?? '');
    return performance.now() - startedAt;
  };
  const [first, second, third] = [await waited(), await waited(), await waited()];
  t.true(first >= 19 && second >= 39 && third >= 79, `${first} ${second} ${third}`);
  queue.forget('a/1');
  t.true((await waited()) < third);
});

test('a pass cancels what was asked for later, and decides anew', async (t) => {
  const queue = makeQueue(t);
  queue.addAfter('a/1', 30);
  queue.add('a/1');
  t.is(await queue.take(), 'a/1');
  queue.done('a/1');
  queue.addAfter('b/1', 60);
  t.is(await queue.take(), 'b/1', 'a/1 is not due any more');
});

test('shut down, it gives out nothing more and lets workers go', async (t) => {
  const queue = makeQueue(t);
  const waiting = queue.take();
  queue.shutDown();
  t.is(await waiting, undefined);
  queue.add('a/1');
  t.is(await queue.take(), undefined);
});

test('many workers see every key, each at least once and never two at a time', async (t) => {
  const queue = makeQueue(t);
  const working = new Set<string>();
  const seen = new Set<string>();
  const work = async () => {
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      t.false(working.has(key));
      working.add(key);
      await new Promise((resolve) => setImmediate(resolve));
      seen.add(key);
      working.delete(key);
      queue.done(key);
    }
  };
  const workers = Array.from({ length: 8 }, () => work());
  for (let i = 0; i < 2000; i += 1) queue.add(`${i % 7}/${i % 500}`);
  const distinct = new Set(Array.from({ length: 2000 }, (_, i) => `${i % 7}/${i % 500}`)).size;
  await eventually('all were seen', () => seen.size === distinct && queue.depth === 0 && queue.working === 0);
  queue.shutDown();
  await Promise.all(workers);
  t.is(seen.size, distinct);
});
