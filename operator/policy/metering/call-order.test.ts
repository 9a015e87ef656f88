// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { callOrder } from './call-order.ts';

const CASES: Readonly<
  Record<string, { readonly callees: readonly (readonly number[])[]; readonly again: readonly number[] }>
> = {
  'nobody calls': { callees: [[], []], again: [] },
  'one after the other': { callees: [[1], [2], []], again: [] },
  'two ways to the same': { callees: [[1, 2], [3], [3], []], again: [] },
  'one that calls itself': { callees: [[0]], again: [0] },
  'two that call each other': { callees: [[1], [0]], again: [0] },
  'two circles through one': { callees: [[1, 2], [0], [0]], again: [0] },
  'a circle that is called': { callees: [[1], [2], [1]], again: [1] },
  'what is not there': { callees: [[7]], again: [] },
};

for (const [title, { callees, again }] of Object.entries(CASES)) {
  test(title, (t) => {
    const found = callOrder(callees);
    t.deepEqual([...found.again], again);
    t.deepEqual(
      found.order.toSorted((a, b) => a - b),
      [...callees.keys()],
    );
  });
}

test('whoever calls comes after what it calls, but for that by which calls come round', (t) => {
  const graph = fc
    .integer({ min: 1, max: 12 })
    .chain((count) =>
      fc.array(fc.array(fc.nat(count - 1), { maxLength: 4 }), { minLength: count, maxLength: count }),
    );
  fc.assert(
    fc.property(graph, (callees) => {
      const { order, again } = callOrder(callees);
      t.is(new Set(order).size, callees.length);
      const place = new Map(order.map((index, at) => [index, at]));
      for (const [index, called] of callees.entries()) {
        for (const one of called.filter((other) => !again.has(other)))
          t.true((place.get(one) ?? 0) < (place.get(index) ?? 0), JSON.stringify(callees));
      }
    }),
    { numRuns: 2000 },
  );
});

test('calls may be deeper than the stack', (t) => {
  const count = 200_000;
  const { order } = callOrder(Array.from({ length: count }, (_, index) => [index + 1]));
  t.is(order[0], count - 1);
});
