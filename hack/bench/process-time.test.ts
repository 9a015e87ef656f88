// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { cpuSeconds } from './process-time.ts';

test('the time of this process is what it counts itself', async (t) => {
  const { user, system } = process.cpuUsage();
  const seconds = await cpuSeconds(process.pid);
  // The kernel rounds each of the two to a hundredth.
  t.true(seconds >= (user + system) / 1e6 - 0.03, `${seconds} s`);
  const after = process.cpuUsage();
  t.true(seconds <= (after.user + after.system) / 1e6 + 0.03, `${seconds} s`);
});

test('a process that is not there has no time', async (t) => {
  await t.throwsAsync(cpuSeconds(0));
});
