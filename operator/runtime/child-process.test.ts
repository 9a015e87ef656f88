// SPDX-License-Identifier: Apache-2.0
import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { killChild, pipesOf } from './child-process.ts';

test('a child that runs has three pipes, and is ended', async (t) => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  t.truthy(pipesOf(child));
  const ended = once(child, 'exit');
  killChild(child);
  t.deepEqual(await ended, [null, 'SIGKILL']);
});

test('one that was never started has no pipes, and nobody is sent a signal', (t) => {
  const child = new ChildProcess();
  t.is(pipesOf(child), undefined);
  // Its own would go to the whole group, with the tests in it.
  child.kill = () => t.fail('a signal to a process without a number');
  killChild(child);
});
