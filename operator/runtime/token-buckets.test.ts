// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { TokenBuckets } from './token-buckets.ts';

test('a burst at once, then one after the other', (t) => {
  const buckets = new TokenBuckets({ burst: 2, perSecond: 1, maxBuckets: 10 });
  const taken = [0, 0, 0, 999, 1000, 1001].map((nowMs) => buckets.take('a', nowMs));
  t.deepEqual(taken, [true, true, false, false, true, false]);
  t.true(buckets.take('b', 0), 'another name has its own');
});

test('the longest unused name is forgotten, so that memory is bounded', (t) => {
  const buckets = new TokenBuckets({ burst: 1, perSecond: 0, maxBuckets: 2 });
  for (const name of ['a', 'b', 'c']) t.true(buckets.take(name, 0));
  t.false(buckets.take('c', 0));
  t.true(buckets.take('a', 0), 'a starts again');
});
