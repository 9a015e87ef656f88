// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'ava';
import { exclusively } from './exclusive.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

async function lockIn(t: { teardown(undo: () => Promise<void>): void }): Promise<string> {
  const folder = await temporaryFolder(t, 'lock');
  return join(folder, 'deep', 'test.lock');
}

test('one at a time, each in its turn, a failing one included', async (t) => {
  const path = await lockIn(t);
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise(setImmediate);
    inside -= 1;
    throw new Error('failed inside');
  };
  const results = await Promise.allSettled(Array.from({ length: 4 }, () => exclusively({ path }, work)));
  t.is(most, 1);
  t.true(results.every(({ status }) => status === 'rejected'));
  t.is(await exclusively({ path }, () => Promise.resolve('free again')), 'free again');
});

test('another process is waited for, told of, and does not keep the lock when it is killed', async (t) => {
  const path = await lockIn(t);
  const module = JSON.stringify(import.meta.resolve('./exclusive.ts'));
  const script = `
    const { exclusively } = await import(${module});
    await exclusively({ path: ${JSON.stringify(path)} }, () => new Promise((resolve) => {
      console.log('holding');
      setTimeout(resolve, 300_000);
    }));`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: holder.stdout });
  await new Promise((resolve) => lines.once('line', resolve));
  const told: string[] = [];
  const onWait = (pid: string): void => {
    told.push(pid);
    holder.kill('SIGKILL');
  };
  t.is(await exclusively({ path, onWait }, () => Promise.resolve('ours')), 'ours');
  t.deepEqual(told, [String(holder.pid)]);
});
