// SPDX-License-Identifier: Apache-2.0
import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { signalChild } from './signal-child.ts';

test('a child that runs gets the signal, and is not there any more once it has ended', async (t) => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  t.true(signalChild(child, 'SIGTERM'));
  t.deepEqual(await ended, [null, 'SIGTERM']);
  t.false(signalChild(child, 'SIGTERM'));
});

test('one that was never started sends nobody a signal', (t) => {
  const child = new ChildProcess();
  // Its own would go to the whole group, with the tests in it.
  child.kill = () => t.fail('a signal to a process without a number');
  t.false(signalChild(child, 'SIGKILL'));
});
