// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { PRIORITY_AGING_SECONDS, queueOrder, type Queued } from './queue-order.ts';

const START_MS = Date.parse('2026-11-21T12:00:00Z');

function queued(uid: string, priority: number, secondsLater: number): Queued {
  const createdAt = new Date(START_MS + secondsLater * 1000).toISOString().replace('.000', '');
  return { uid, priority, createdAt };
}

interface Case {
  readonly agingSeconds?: number;
  readonly runs: readonly Queued[];
  readonly want: string;
}

const CASES: Readonly<Record<string, Case>> = {
  'of the same priority the older goes first, and by uid within a second': {
    runs: [queued('c', 0, 1), queued('b', 0, 0), queued('a', 0, 1)],
    want: 'b a c',
  },
  'the higher priority goes first': { runs: [queued('a', 0, 0), queued('b', 1, 59)], want: 'b a' },
  'a minute of age outweighs a point of it': {
    runs: [queued('a', 0, 0), queued('b', 1, 61)],
    want: 'a b',
  },
  'who is worth as much and is older goes first': {
    runs: [queued('b', 1, 60), queued('a', 0, 0)],
    want: 'a b',
  },
  'as much as the tenant says': {
    agingSeconds: 10,
    runs: [queued('a', 0, 0), queued('b', 5, 49), queued('c', 5, 51)],
    want: 'b a c',
  },
  'nought: however long somebody waits': {
    agingSeconds: 0,
    runs: [queued('a', 0, 0), queued('b', 1, 1_000_000), queued('c', -1, -1_000_000)],
    want: 'b a c',
  },
};

for (const [title, { agingSeconds = PRIORITY_AGING_SECONDS, runs, want }] of Object.entries(CASES)) {
  test(title, (t) => {
    const order = runs.toSorted(queueOrder(agingSeconds)).map(({ uid }) => uid);
    t.is(order.join(' '), want);
  });
}

const anyQueued = fc.record({
  uid: fc.constantFrom('a', 'b', 'c', 'd'),
  priority: fc.integer({ min: -1000, max: 1000 }),
  later: fc.nat(100_000),
});

test('it is one order, whatever there is', (t) => {
  fc.assert(
    fc.property(fc.array(anyQueued, { minLength: 3, maxLength: 3 }), fc.nat(3600), (some, agingSeconds) => {
      const [a, b, c] = some.map(({ uid, priority, later }, i) => queued(uid + i, priority, later));
      const compare = queueOrder(agingSeconds);
      t.is(Math.sign(compare(a!, b!)), -Math.sign(compare(b!, a!)));
      if (compare(a!, b!) < 0 && compare(b!, c!) < 0) t.true(compare(a!, c!) < 0);
    }),
  );
});

test('nobody is overtaken by who comes later than the points between them are worth', (t) => {
  fc.assert(
    fc.property(anyQueued, anyQueued, fc.integer({ min: 1, max: 3600 }), (first, second, agingSeconds) => {
      const [a, b] = [queued('a', first.priority, first.later), queued('b', second.priority, second.later)];
      const worth = Math.max(0, second.priority - first.priority) * agingSeconds;
      if (second.later > first.later + worth) t.true(queueOrder(agingSeconds)(a, b) < 0);
      else t.pass();
    }),
  );
});
