// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { inParallel, percentile } from './statistics.ts';

const table: Record<string, { samples: number[]; share: number; want: number }> = {
  'the median of an odd number is the middle one': { samples: [3, 1, 2], share: 0.5, want: 2 },
  'p99 of a hundred is the last but one': { samples: range(100), share: 0.99, want: 99 },
  'p100 is the largest': { samples: [5, 9, 1], share: 1, want: 9 },
  'p0 is the smallest': { samples: [5, 9, 1], share: 0, want: 1 },
};

for (const [name, { samples, share, want }] of Object.entries(table)) {
  test(`percentile: ${name}`, (t) => t.is(percentile(samples, share), want));
}

test('percentile of nothing is not a number', (t) => t.true(Number.isNaN(percentile([], 0.5))));

test('inParallel does every item once and never more than its width at a time', async (t) => {
  const seen: number[] = [];
  let running = 0;
  let most = 0;
  await inParallel(range(50), 4, async (item) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise(setImmediate);
    seen.push(item);
    running -= 1;
  });
  t.deepEqual(
    seen.toSorted((a, b) => a - b),
    range(50),
  );
  t.is(most, 4);
});

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
