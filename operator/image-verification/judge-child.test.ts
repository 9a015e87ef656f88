// SPDX-License-Identifier: Apache-2.0
import { ChildProcess, type spawn } from 'node:child_process';
import test from 'ava';
import { JUDGE_LIMITS } from './judge.ts';
import { JUDGE_URL, JudgeChild, type JudgeEnd } from './judge-child.ts';

/** As Node has it where no file may be opened: no pipes, and the error comes in the next turn. */
function start(signals: unknown[]): ChildProcess {
  const child = new ChildProcess();
  // Sent by Node, it would go to the whole group of this process.
  child.kill = (signal) => signals.push(signal) > 0;
  process.nextTick(() => {
    child.emit('error', new Error('spawn node EMFILE'));
  });
  return child;
}

test('where not one more file may be opened, it could not be started, and nobody else ends', async (t) => {
  let judge: JudgeChild | undefined;
  const signals: unknown[] = [];
  const end = await new Promise<JudgeEnd>((resolve) => {
    judge = new JudgeChild(
      { limits: JUDGE_LIMITS, url: JUDGE_URL, start: (() => start(signals)) as unknown as typeof spawn },
      { onReply: () => t.fail('nobody is there'), onEnd: resolve },
    );
  });
  t.deepEqual(end, { kind: 'crash', how: 'it could not be started: spawn node EMFILE' });
  t.is(judge?.pid, undefined);
  await judge?.tell([{ order: { kind: 'forget', id: 1 } }]);
  await judge?.end();
  t.deepEqual(signals, []);
});
