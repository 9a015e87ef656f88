// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { childrenOf, parentIn } from './child-processes.ts';

test('the parent of a process is found, whatever it is called', (t) => {
  t.is(parentIn('42 (a) S 7 (b) R 1 2 3'), 1);
  t.is(parentIn('42 (node) S 7 42 42 0'), 7);
});

test('a process that was started is found until it has ended', async (t) => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const { pid = 0 } = child;
  t.true((await childrenOf(process.pid)).includes(pid));
  child.stdin.end();
  await once(child, 'close');
  t.false((await childrenOf(process.pid)).includes(pid));
});
