// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { fairly } from './fairly.ts';

const cut = (entries: readonly string[], most: number) =>
  fairly(entries, { groupOf: (one) => one.split('/', 1)[0] ?? '', first: 'platform', most });

const many = (name: string, count: number) => Array.from({ length: count }, (_, index) => `${name}/${index}`);

test('where there is room for all, all are there', (t) => {
  t.deepEqual(cut(['b/1', 'a/1'], 2), ['b/1', 'a/1']);
});

test('a group with many entries and an early name leaves room for others, in the order that was', (t) => {
  t.deepEqual(cut([...many('aaa', 100), 'b/0', 'c/0', 'c/1'], 5), ['aaa/0', 'aaa/1', 'b/0', 'c/0', 'c/1']);
});

test('the first group is never left out for others', (t) => {
  const found = cut([...many('aaa', 100), ...many('platform', 9)], 10);
  t.deepEqual(found, ['aaa/0', ...many('platform', 9)]);
  t.is(cut(many('platform', 100), 10).length, 10);
});
