// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { backoffMs, jittered } from './backoff.ts';

const POLICY = { baseMs: 100, maxMs: 1000, jitter: 0.2 };

const CASES: Record<string, { failures: number; random: number; want: number }> = {
  'the first failure waits the base': { failures: 1, random: 0.5, want: 100 },
  'each further one doubles': { failures: 3, random: 0.5, want: 400 },
  'up to the limit': { failures: 30, random: 0.5, want: 1000 },
  'jitter may shorten': { failures: 1, random: 0, want: 80 },
  'jitter may lengthen': { failures: 1, random: 1, want: 120 },
  'but never beyond the limit': { failures: 30, random: 1, want: 1000 },
  'a number that would overflow': { failures: 5000, random: 0.5, want: 1000 },
};

for (const [sentence, { failures, random, want }] of Object.entries(CASES)) {
  test(sentence, (t) => {
    t.is(backoffMs(POLICY, failures, random), want);
  });
}

test('jittered spreads both ways', (t) => {
  t.deepEqual(
    [0, 0.5, 1].map((random) => Math.round(jittered(100, 0.1, random))),
    [90, 100, 110],
  );
});
