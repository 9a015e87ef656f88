// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { eventually, pauseMs } from './eventually.ts';

test('what is found is returned, after nothing and errors', async (t) => {
  const looks = [() => undefined, () => false, () => Promise.reject(new Error('not there')), () => 'found'];
  t.is(await eventually('it is found', () => looks.shift()?.()), 'found');
  t.is(await eventually('none is something', () => 0), 0);
});

test('when it is too late, the error names what was waited for, and why it was not', async (t) => {
  const error = await t.throwsAsync(
    eventually('the moon is blue', () => Promise.reject(new Error('it is grey')), 30),
    { message: 'not within 0.03 s: the moon is blue; last seen: it is grey' },
  );
  t.is((error.cause as Error).message, 'it is grey');
});

test('looks are close at first, and farther apart the longer it is waited', (t) => {
  t.deepEqual([0, 250, 500, 1000, 60_000].map(pauseMs), [25, 25, 50, 100, 250]);
});
