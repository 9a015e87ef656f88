// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { TimeTaken } from './time-taken.ts';

const MINUTE_MS = 60_000;

test('what was taken counts half after five minutes, and adds up', (t) => {
  const taken = new TimeTaken();
  t.is(taken.by('a', 0), 0);
  taken.add('a', 1000, 0);
  taken.add('b', 10, 0);
  t.is(taken.by('a', 0), 1000);
  t.is(taken.by('a', 5 * MINUTE_MS), 500);
  t.is(taken.by('a', 10 * MINUTE_MS), 250);
  taken.add('a', 1000, 5 * MINUTE_MS);
  t.is(taken.by('a', 5 * MINUTE_MS), 1500);
  t.is(taken.by('b', 0), 10);
});

test('of many only the last are remembered', (t) => {
  const taken = new TimeTaken();
  for (let i = 0; i < 6000; i += 1) taken.add(`${i}`, 1, 0);
  t.is(taken.by('0', 0), 0);
  t.is(taken.by('5999', 0), 1);
});
