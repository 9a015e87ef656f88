// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { makeRun } from '../run/testing/make.ts';
import type { Run } from '../run/run.ts';
import { placesOf } from './places.ts';

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

test('a queue is full for who comes when as many wait as may', (t) => {
  const { queue, runs } = queueOf(['ConcurrencyExceeded', 'Suspended', 'ConcurrencyExceeded'], 1);
  t.deepEqual(
    [...placesOf(queue, runs, 2).values()].map((place) => place.kind === 'waiting' && place.full),
    [2, 2, 2].map((found) => ({ found, allowed: 2 })),
  );
  t.true([...placesOf(queue, runs, 3).values()].every((place) => !('full' in place)));
});
