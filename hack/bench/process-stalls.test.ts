// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { lineOf, longestIn, ProcessStalls } from './process-stalls.ts';

test('the longest of a time are told, by the clock and of a processor', (t) => {
  const text = [
    lineOf(1000, { clock: 90, own: 80 }),
    lineOf(2000, { clock: 50, own: 3 }),
    lineOf(3000, { clock: 12.345, own: 12.3 }),
    lineOf(4090, { clock: 89, own: 89 }),
  ].join('');
  t.deepEqual(longestIn(text, 2000, 4000), { clock: 50, own: 12.3 });
  t.deepEqual(longestIn(text, 5000, 6000), { clock: 0, own: 0 });
  t.deepEqual(longestIn('', 0, 1), { clock: 0, own: 0 });
});

/** Works 60 ms of a processor in one piece when it is told to, and then waits. */
const PROGRAM = `
  const spentMs = () => { const { user, system } = process.threadCpuUsage(); return (user + system) / 1000; };
  process.stdin.once('data', () => {
    const until = spentMs() + 60;
    while (spentMs() < until);
    process.stdout.write('done');
  });`;

test('a process tells what held up its main thread', async (t) => {
  const stalls = await ProcessStalls.create();
  t.teardown(() => stalls.remove());
  await t.throwsAsync(stalls.since(new Date()), { message: /does not tell/ });
  const child = spawn(process.execPath, ['-e', PROGRAM], {
    env: { ...process.env, ...stalls.env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const began = new Date();
  child.stdin.write('go');
  await once(child.stdout, 'data');
  const { own, clock } = await stalls.since(began);
  t.true(own >= 55 && clock >= own, `${own} ms of ${clock}`);
  child.stdin.end();
  // What tells of stalls keeps no process.
  const [code] = (await once(child, 'close')) as [number | null];
  t.is(code, 0);
});
