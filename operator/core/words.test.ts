// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { noPlace, noPlaceBelow } from './quota/obstacles.ts';
import { tooMany, tooManyAtOnce } from './tree/obstacles.ts';
import { countOf } from './words.ts';

test('one is one, and anything else is many', (t) => {
  t.deepEqual(
    [0, 1, 2].map((count) => countOf(count, 'Run')),
    ['0 Runs', '1 Run', '2 Runs'],
  );
});

test('what a tenant is told of one Run speaks of one', (t) => {
  const told = [noPlace(1), noPlaceBelow(1, 1), tooMany('root', 1), tooManyAtOnce('parent', 1)];
  for (const { message } of told) {
    t.notRegex(message, /\b1 [A-Za-z]+s\b/);
    t.regex(message, /\b1 (Run|level)\b/);
  }
});
