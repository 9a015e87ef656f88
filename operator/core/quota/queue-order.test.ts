// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { makeRun } from '../run/testing/make.ts';
import type { Run } from '../run/run.ts';
import { ageOf, isOlder, PRIORITY_AGING_SECONDS, queueOrder, type Queued } from './queue-order.ts';

/** A Run of which a case says its version, and what was kept as its arrival. */
function seen(
  uid: string,
  { version, arrival }: { readonly version?: number; readonly arrival?: number },
): Run {
  const run = makeRun({}, arrival === undefined ? undefined : { phase: 'Queued', arrival });
  const more = version === undefined ? {} : { resourceVersion: String(version) };
  return { ...run, metadata: { ...run.metadata, uid, ...more } };
}

const SAME_SECOND: Readonly<Record<string, { readonly runs: readonly Run[]; readonly want: string }>> = {
  'of two of the same second the one of the lower version was created first, by number': {
    runs: [seen('a', { version: 10 }), seen('b', { version: 9 })],
    want: 'b a',
  },
  'also when something was written of it since': {
    runs: [seen('a', { version: 10 }), seen('b', { version: 99, arrival: 9 })],
    want: 'b a',
  },
  'where nothing tells it is by uid': { runs: [seen('b', {}), seen('a', {})], want: 'a b' },
};

for (const [title, { runs, want }] of Object.entries(SAME_SECOND)) {
  test(title, (t) => {
    const order = runs.map(ageOf).toSorted((a, b) => (isOlder(a, b) ? -1 : 1));
    t.is(order.map(({ uid }) => uid).join(' '), want);
  });
}

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
  'of the same priority the older goes first, and by uid where nothing else tells': {
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
