// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { atOnce, eachInPieces, PIECE } from './pieces.ts';

for (const count of [0, 1, PIECE, PIECE + 1, 5 * PIECE, 5 * PIECE + 1]) {
  test(`of ${count} things each is done once, in order, and so many at a time`, (t) => {
    const items = Array.from({ length: count }, (_, i) => i);
    let done = 0;
    const pieces = eachInPieces(items, (item) => {
      done += 1;
      return -item;
    });
    const ofEach: number[] = [];
    let step = pieces.next();
    for (; step.done !== true; step = pieces.next())
      ofEach.push(done - ofEach.reduce((sum, n) => sum + n, 0));
    t.true(ofEach.every((n) => n === PIECE));
    t.is(ofEach.length, Math.max(0, Math.ceil(count / PIECE) - 1));
    t.deepEqual(
      step.value,
      items.map((item) => -item),
    );
    t.is(done, count);
  });
}

test('at once comes to the same', (t) => {
  const items = Array.from({ length: 3 * PIECE }, (_, i) => i);
  t.deepEqual(atOnce(eachInPieces(items, String)), items.map(String));
});
