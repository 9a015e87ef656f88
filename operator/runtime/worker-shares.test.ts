// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { workerShares } from './worker-shares.ts';

function shares(concurrency: number): readonly number[] {
  const { mostBesideOthers, mostOfGroup } = workerShares(concurrency);
  return [mostBesideOthers, mostOfGroup];
}

test('a group has a sixteenth of the workers beside others, and all but an eighth alone, and one at least', (t) => {
  t.deepEqual([1, 2, 12, 16, 32].map(shares), [
    [1, 1],
    [1, 1],
    [1, 10],
    [1, 14],
    [2, 28],
  ]);
});
