// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ago, makeRun, NOW } from '../run/testing/make.ts';
import type { Run } from '../run/run.ts';
import { PIECE } from '../pieces.ts';
import { newsOf, placesOf } from './places.ts';

/** A queue of Runs that wait for these reasons, and the Runs, all but `fresh` of them known to wait. */
function queueOf(reasons: readonly string[], fresh = 0) {
  const waiting = reasons.map((reason, i) => {
    const uid = `uid-${i}`;
    const names = { uid, namespace: 'acme-dev', name: `r-${i}`, agent: 'agent', createdAt: '' };
    return { candidate: { ...names, priority: 0, attempt: 1, demand: new Map() }, reason, message: 'so' };
  });
  const runs = reasons.map((_, i): Run => {
    const run = makeRun({}, i < reasons.length - fresh ? { phase: 'Queued' } : undefined);
    return { ...run, metadata: { ...run.metadata, uid: `uid-${i}` } };
  });
  return { queue: { admitted: [], held: [], demands: [], waiting }, runs };
}

function positions(reasons: readonly string[]): readonly unknown[] {
  const { queue, runs } = queueOf(reasons);
  return [...placesOf(queue, runs).values()].map((place) => place.kind === 'waiting' && place.position);
}

test('places are counted from one, and those that want no quota for now have none', (t) => {
  const reasons = ['Suspended', 'ConcurrencyExceeded', 'RetryBackoff', 'Suspended', 'GPUQuotaExceeded'];
  t.deepEqual(positions(reasons), [undefined, 1, undefined, undefined, 2]);
});

test("who waits for an Agent stands in nobody's way, and in no place", (t) => {
  const reasons = [
    'AgentNotFound',
    'ConcurrencyExceeded',
    'AgentNotReady',
    'RevisionNotFound',
    'RateLimited',
  ];
  t.deepEqual(positions(reasons), [undefined, 1, undefined, undefined, 2]);
});

test('a queue is full for who comes when as many wait as may', (t) => {
  const { queue, runs } = queueOf(['ConcurrencyExceeded', 'Suspended', 'ConcurrencyExceeded'], 1);
  t.deepEqual(
    [...placesOf(queue, runs, 2).values()].map((place) => place.kind === 'waiting' && place.full),
    [2, 2, 2].map((found) => ({ found, allowed: 2 })),
  );
  t.true([...placesOf(queue, runs, 3).values()].every((place) => !('full' in place)));
});

test('what may wait counts whatever it waits for, an Agent that is not there included: each is a Run in the store', (t) => {
  const { queue, runs } = queueOf(['AgentNotFound', 'AgentNotReady', 'ConcurrencyExceeded'], 1);
  const last = [...placesOf(queue, runs, 2).values()].at(-1);
  t.deepEqual(last?.kind === 'waiting' && last.full, { found: 2, allowed: 2 });
});

/** A queue in which each says what it is told, written so many seconds ago; undefined: it has said nothing yet. */
function toldQueue(
  told: readonly (readonly [position: number, reason: string, seconds: number] | undefined)[],
) {
  const { queue, runs } = queueOf(told.map(() => 'ConcurrencyExceeded'));
  return {
    queue,
    runs: runs.map((run, i): Run => {
      const [position, reason, seconds] = told[i] ?? [];
      if (position === undefined || reason === undefined) return { ...run, status: { phase: 'Queued' } };
      const updatedAt = ago(seconds ?? 0);
      const place = { position, reason, message: '', since: updatedAt, updatedAt };
      return { ...run, status: { phase: 'Queued', queue: place } };
    }),
  };
}

function newsIn(told: Parameters<typeof toldQueue>[0]): readonly (readonly [string, number])[] {
  const { queue, runs } = toldQueue(told);
  return [...newsOf(queue, runs, NOW)].flat().map(({ run, withinMs }) => [run.metadata.uid ?? '', withinMs]);
}

test('who says what his place is has no news, however long he stands there', (t) => {
  t.deepEqual(newsIn([[1, 'ConcurrencyExceeded', 2], [2, 'ConcurrencyExceeded', 9000], undefined]), []);
});

test('who has moved has news when his place is due to be written, and who waits for something else within a second', (t) => {
  t.deepEqual(
    newsIn([
      [2, 'ConcurrencyExceeded', 10],
      [2, 'RateLimited', 6],
      [4, 'ConcurrencyExceeded', 99],
    ]),
    [
      ['uid-0', 20_000],
      ['uid-1', 1000],
      ['uid-2', 1000],
    ],
  );
});

test('where all have news those farther back are looked at later, all within half a minute', (t) => {
  const news = newsIn(Array.from({ length: 100 }, (_, i) => [i + 1, 'Other', 60] as const));
  t.is(news.length, 100);
  t.true(news.slice(0, 10).every(([, withinMs]) => withinMs === 1000));
  const later = news.slice(10).map(([, withinMs]) => withinMs);
  t.deepEqual(
    later,
    later.toSorted((a, b) => a - b),
  );
  t.is(new Set(later).size, 90);
  t.true(Math.max(...later) <= 31_000);
});

test('who wants no quota for now has no place, and no news of others that move', (t) => {
  const { queue, runs } = toldQueue([undefined, [9, 'ConcurrencyExceeded', 99]]);
  const suspended = {
    ...queue,
    waiting: queue.waiting.map((one, i) => (i === 0 ? { ...one, reason: 'Suspended' } : one)),
  };
  // The other is the first of those who have one.
  t.deepEqual(
    [...newsOf(suspended, runs, NOW)].flat().map(({ run }) => run.metadata.uid),
    ['uid-1'],
  );
  const first = runs.map((run, i): Run => {
    const queued = {
      position: 1,
      reason: 'ConcurrencyExceeded',
      message: '',
      since: ago(99),
      updatedAt: ago(99),
    };
    return i === 1 ? { ...run, status: { phase: 'Queued', queue: queued } } : run;
  });
  t.deepEqual([...newsOf(suspended, first, NOW)].flat(), []);
});

test('news are told of so many of the queue at a time', (t) => {
  const { queue, runs } = toldQueue(
    Array.from({ length: 3 * PIECE + 1 }, (_, i) => [i + 1, 'Other', 60] as const),
  );
  const sizes = [...newsOf(queue, runs, NOW)].map((news) => news.length);
  t.deepEqual(sizes, [PIECE, PIECE, PIECE, 1]);
});
