// SPDX-License-Identifier: Apache-2.0
import { setImmediate } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { createMetrics } from '../telemetry/metrics.ts';
import { FairQueue } from './fair-queue.ts';
import { Ring } from './ring.ts';
import { eventually } from '#hack/tools/eventually';
import { WorkQueue } from './workqueue.ts';

const groupOf = (key: string) => key.split('/')[0] ?? '';

const urgent = new Set<string>();

function makeQueue(t: ExecutionContext, backoff = { baseMs: 1, maxMs: 10, jitter: 0 }): WorkQueue {
  const metrics = createMetrics();
  const queue = new WorkQueue({ name: 'q', groupOf, backoff, metrics, isUrgent: (key) => urgent.has(key) });
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

/** What a fair queue is asked for, at random: a key comes, becomes urgent, or the next one is taken. */
const steps = fc.array(
  fc.record({
    what: fc.constantFrom('push', 'urgent', 'first', 'hasten', 'hasten more', 'shift'),
    key: fc.nat(30),
  }),
);

test('nothing is lost and nothing comes twice from a fair queue', (t) => {
  fc.assert(
    fc.property(steps, (asked) => {
      const queue = new FairQueue();
      const model = new Set<string>();
      const shift = () => {
        const got = queue.shift();
        t.is(got === undefined ? model.size === 0 : model.delete(got), true);
      };
      for (const { what, key: number } of asked) {
        const key = `${number % 4}/${number}`;
        if (what === 'shift') shift();
        else if (what === 'hasten') queue.hasten(key);
        else if (what === 'hasten more') queue.hasten(key, 'first');
        else {
          queue.push(key, groupOf(key), what === 'first' ? what : what === 'urgent');
          model.add(key);
        }
        t.is(queue.size, model.size);
      }
      while (model.size > 0) shift();
      t.is(queue.shift(), undefined);
    }),
  );
});

test('urgent keys go before the others of their group, which are not starved', (t) => {
  const queue = new FairQueue();
  for (let i = 0; i < 300; i += 1) queue.push(`a/calm-${i}`, 'a');
  for (let i = 0; i < 20; i += 1) queue.push(`a/urgent-${i}`, 'a', true);
  const first = Array.from({ length: 24 }, () => queue.shift() ?? '');
  t.is(first.filter((key) => key.startsWith('a/urgent')).length, 20, first.join(' '));
  t.true(first.slice(0, 8).every((key) => key.startsWith('a/urgent')));
  t.is(first[8], 'a/calm-0');
});

test('what comes first goes before the urgent ones, and neither starves those behind it', (t) => {
  const queue = new FairQueue();
  for (let i = 0; i < 300; i += 1) queue.push(`a/calm-${i}`, 'a');
  for (let i = 0; i < 300; i += 1) queue.push(`a/urgent-${i}`, 'a', true);
  for (let i = 0; i < 299; i += 1) queue.push(`a/first-${i}`, 'a', 'first');
  queue.hasten('a/urgent-299', 'first');
  const taken = Array.from({ length: 81 }, () => queue.shift() ?? '');
  t.true(
    taken.slice(0, 8).every((key) => key.startsWith('a/first')),
    taken.slice(0, 10).join(' '),
  );
  const count = (sort: string) => taken.filter((key) => key.startsWith(`a/${sort}`)).length;
  t.is(count('calm'), 9, 'each ninth');
  t.is(count('urgent'), 8, 'each ninth of the others');
  const rest = Array.from({ length: 819 }, () => queue.shift() ?? '');
  t.is(new Set([...taken, ...rest]).size, 900);
  t.is(queue.shift(), undefined);
});

test('urgent keys of one group do not delay those of another', (t) => {
  const queue = new FairQueue();
  for (let i = 0; i < 100; i += 1) queue.push(`a/${i}`, 'a', true);
  queue.push('b/0', 'b');
  t.deepEqual([queue.shift(), queue.shift()], ['a/0', 'b/0']);
});

test('a key that waits behind hundreds and becomes urgent is next, and comes once', async (t) => {
  const queue = makeQueue(t);
  for (let i = 0; i < 300; i += 1) queue.add(`late/${i}`);
  urgent.add('late/299');
  queue.add('late/299');
  t.is(queue.depth, 300);
  const taken = [await queue.take()];
  urgent.delete('late/299');
  for (let i = 1; i < 300; i += 1) taken.push(await queue.take());
  t.is(taken[0], 'late/299');
  t.is(new Set(taken).size, 300);
  t.is(queue.depth, 0);
});

const barsBig = (group: string) => group === 'big';

test('a group that has its share waits, and loses nothing', (t) => {
  const queue = new FairQueue();
  for (let i = 0; i < 3; i += 1) queue.push(`big/${i}`, 'big');
  t.is(queue.take(barsBig), undefined);
  queue.push('small/0', 'small');
  t.deepEqual(queue.take(barsBig), { key: 'small/0', group: 'small' });
  t.is(queue.take(barsBig), undefined);
  t.is(queue.size, 3);
  t.deepEqual([queue.shift(), queue.shift(), queue.shift()], ['big/0', 'big/1', 'big/2']);
});

test('one group never has all workers: who comes from another waits for none of its keys', async (t) => {
  const queue = new WorkQueue({
    name: 'q',
    groupOf,
    mostOfGroup: 14,
    backoff: { baseMs: 1, maxMs: 10, jitter: 0 },
    metrics: createMetrics(),
  });
  t.teardown(() => queue.shutDown());
  queue.resume();
  const taken: string[] = [];
  // Workers that never come to an end.
  for (let i = 0; i < 16; i += 1) void queue.take().then((key) => taken.push(key ?? ''));
  for (let i = 0; i < 5000; i += 1) queue.add(`big/${i}`);
  await setImmediate();
  t.is(taken.length, 14);
  queue.add('small/0');
  await setImmediate();
  t.is(taken.at(-1), 'small/0');
  t.is(queue.working, 15);
  queue.add('big/0');
  queue.done('big/1');
  await setImmediate();
  t.is(taken.length, 16, 'a worker that has nothing to do goes on when one of them is done');
  t.is(taken.at(-1), 'big/14');
  t.is(queue.depth, 5000 - 15);
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
  const [fourth, fifth] = [await waited(), await waited()];
  t.true(fourth >= 159 && fifth >= 319);
  queue.forget('a/1');
  queue.retry('a/1');
  queue.addAfter('b/1', 500);
  // Keys come in the order in which they are due, however late; without forgetting, this one would be due after 640 ms.
  t.is(await queue.take(), 'a/1');
});

test('a failure waits no longer than it is asked to', async (t) => {
  const queue = makeQueue(t, { baseMs: 600_000, maxMs: 600_000, jitter: 0 });
  queue.retry('a/1', 0, 10);
  queue.addAfter('b/1', 500);
  t.is(await queue.take(), 'a/1');
});

test('one that comes after many that were to be soon waits no longer than they did', async (t) => {
  const queue = makeQueue(t, { baseMs: 20, maxMs: 600_000, jitter: 0 });
  for (let i = 0; i < 20; i += 1) queue.retry('a/1', 0, 30);
  await queue.take();
  queue.done('a/1');
  queue.retry('a/1');
  queue.addAfter('b/1', 5000);
  t.is(await queue.take(), 'a/1');
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
      await setImmediate();
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

test('a key rests after it was worked on, however often it is added meanwhile', async (t) => {
  const rests = { ms: 0 };
  const queue = new WorkQueue({
    name: 'q',
    groupOf,
    backoff: { baseMs: 1, maxMs: 10, jitter: 0 },
    metrics: createMetrics(),
    restMs: () => rests.ms,
  });
  t.teardown(() => queue.shutDown());
  queue.resume();
  queue.add('a');
  t.is(await queue.take(), 'a');
  rests.ms = 60;
  for (let i = 0; i < 10; i += 1) queue.add('a');
  queue.done('a');
  t.is(queue.depth, 0, 'it rests');
  const next = queue.take();
  rests.ms = 0;
  t.is(await next, 'a', 'and then is worked on');
  queue.done('a');
  t.is(queue.depth, 0, 'once');
});

test('what may wait is worked on with what may not, and alone when its time has come', async (t) => {
  const queue = makeQueue(t);
  queue.addWithin('later', 40);
  queue.addWithin('with', 60_000);
  queue.addWithin('never', Infinity);
  queue.addWithin('with', 0);
  t.is(await queue.take(), 'with');
  t.is(queue.depth, 0);
  t.is(await queue.take(), 'later');
  queue.done('with');
  queue.done('later');
  queue.addWithin('with', 0);
  queue.addWithin('with', 20);
  t.is(await queue.take(), 'with');
  queue.done('with');
  queue.addWithin('later', 80);
  t.is(
    await queue.take(),
    'later',
    'and neither what is worked on already, nor what is no reason to, comes again',
  );
});

test('what was asked for before the work begins is done by it, and what comes later once more', async (t) => {
  const queue = makeQueue(t);
  queue.add('a/1');
  const key = await queue.take();
  queue.add('a/1');
  queue.addAfter('a/1', 1);
  queue.begin('a/1');
  queue.done('a/1');
  await setImmediate();
  t.deepEqual([key, queue.depth], ['a/1', 0]);
  queue.add('a/1');
  await queue.take();
  queue.begin('a/1');
  queue.add('a/1');
  queue.done('a/1');
  t.is(queue.depth, 1);
});

test('who begins a key that nobody works on has changed nothing', (t) => {
  const queue = makeQueue(t);
  queue.add('a/1');
  queue.begin('a/1');
  t.is(queue.depth, 1);
  queue.done('a/1');
  t.is(queue.working, 0);
});
