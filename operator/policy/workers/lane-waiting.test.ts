// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { job, played } from './testing/played-lane.ts';

const timers = () => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length;

test('only who has to wait for a worker has a timer for that', async (t) => {
  const { lane, end, keys } = played(1);
  const before = timers();
  const begun = lane.submit(job('a', 'begun'));
  t.is(timers(), before);
  const waits = lane.submit(job('a', 'waits'));
  t.is(timers(), before + 1);
  t.deepEqual(keys(), ['begun']);
  const closed = lane.close();
  t.is(timers(), before);
  await closed;
  t.is((await waits).kind, 'crowded');
  await end('begun');
  t.is((await begun).kind, 'answer');
});

test('what waits longer than it may is not begun any more', async (t) => {
  const { lane, end, keys } = played(1, 1);
  const first = lane.submit(job('a', 'first'));
  const late = await lane.submit(job('b', 'late'));
  t.like(late, { kind: 'crowded', message: 'no worker was free within 1 ms' });
  t.deepEqual(keys(), ['first'], 'what is under way goes on');
  await end('first');
  t.is((await first).kind, 'answer');
  t.deepEqual(keys(), []);
});
