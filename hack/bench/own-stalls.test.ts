// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { OwnStalls } from './own-stalls.ts';

function spentMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

test('work in one piece is a stall as long as it took of a processor', async (t) => {
  const stalls = new OwnStalls();
  await delay(20);
  const until = spentMs() + 60;
  while (spentMs() < until);
  await delay(20);
  const { longest, p99 } = stalls.stop();
  t.true(longest >= 55, `${longest} ms`);
  t.true(p99 <= longest);
});

test('to be held up by something that takes nothing of a processor is none of its own', async (t) => {
  const stalls = new OwnStalls();
  await delay(20);
  // The loop stands still, and so does the processor.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
  await delay(20);
  const { longest } = stalls.stop();
  t.true(longest < 1000, `${longest} ms`);
});
