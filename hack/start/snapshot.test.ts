// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { patiently } from './snapshot.ts';

/** What the readings are that are made at these seconds, by an API server that is busy from the first second on. */
async function readAt(...seconds: readonly number[]): Promise<readonly unknown[]> {
  let now = 0;
  const look = patiently(
    () => (now > 0 ? Promise.reject(new Error('busy')) : Promise.resolve('seen')),
    () => now * 1000,
  );
  const found = [];
  for (now of seconds) found.push(await look().catch((error: Error) => error.message));
  return found;
}

test('an API server that is busy for a while ends nothing', async (t) => {
  t.deepEqual(await readAt(0, 1, 59), ['seen', undefined, undefined]);
});

test('one that has not answered for a minute does', async (t) => {
  t.deepEqual(await readAt(0, 59, 60), ['seen', undefined, 'busy']);
});
