// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { JUDGE_ARGUMENT } from '#operator/image-verification/messages';
import { JudgeWatch, judgeFigures } from './judge-watch.ts';
import { keepsBar } from './report.ts';

const table: Readonly<Record<string, { peaks: readonly number[]; want: readonly boolean[] }>> = {
  'one within its bounds': { peaks: [150], want: [true, true] },
  'one that took too much': { peaks: [700], want: [true, false] },
  'one that took too much, and the one after it': { peaks: [700, 100], want: [false, false] },
  'one that was ended for something else, and the one after it': { peaks: [90, 100], want: [false, true] },
  'none that anybody has seen': { peaks: [], want: [false, false] },
};

for (const [title, { peaks, want }] of Object.entries(table)) {
  test(`bars of processes that judge: ${title}`, (t) => {
    t.deepEqual(judgeFigures(peaks).map(keepsBar), want);
  });
}

/** A process that waits until its standard input ends. */
async function waiting(...args: readonly string[]) {
  const script = 'process.stdin.resume(); console.log(1)';
  const child = spawn(process.execPath, ['-e', script, '--', ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return {
    end: async () => {
      child.stdin.end();
      await once(child, 'close');
    },
  };
}

test('one that came after another is seen, and no process that does something else', async (t) => {
  const other = await waiting('something-else');
  const first = await waiting(JUDGE_ARGUMENT);
  const watch = new JudgeWatch(process.pid);
  await watch.look();
  await first.end();
  const second = await waiting(JUDGE_ARGUMENT);
  const [count, memory] = await watch.stop();
  await Promise.all([second.end(), other.end()]);
  t.is(count?.value, 2);
  t.true((memory?.value ?? 0) > 10, `${memory?.value} MB`);
});
