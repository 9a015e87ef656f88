// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import test from 'ava';
import { OperatorProcess } from '../system/operator-process.ts';
import { dieWithParent } from '../tools/die-with-parent.ts';
import { eventually } from '../tools/eventually.ts';
import { KeptOperator, NEVER, type StartOperator } from './kept-operator.ts';

const STAYS = 'setInterval(() => undefined, 1000)';

/** Starts programs in the place of the operator, one after the other; undefined is one that cannot be started. */
function programs(...scripts: readonly (string | undefined)[]) {
  const started: OperatorProcess[] = [];
  const stopped: OperatorProcess[] = [];
  let next = 0;
  const start: StartOperator = () => {
    const script = scripts[next];
    next += 1;
    if (script === undefined) return Promise.reject(new Error('cannot be started'));
    const command = dieWithParent({ program: process.execPath, args: ['-e', script] });
    const child = spawn(command.program, command.args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const operator = new OperatorProcess(child, { path: '', stop: () => void stopped.push(operator) });
    started.push(operator);
    return Promise.resolve(operator);
  };
  return { start, started, stopped };
}

test('one that ends is started again after a wait, and its token is not kept', async (t) => {
  const { start, started, stopped } = programs('process.exit(3)', STAYS);
  const kept = await KeptOperator.start(start, { delaysMs: [20], recoveredMs: 60_000 });
  t.is(kept.story, undefined);
  await eventually('it runs again', () =>
    /^runs again: it ended with 3 \(restart 1\)$/.test(kept.story ?? ''),
  );
  t.deepEqual([started.length, stopped.length], [2, 1]);
  t.is(kept.failure, undefined);
  await kept.stop(10_000);
  t.true(started.every((one) => one.hasEnded));
});

test('it is given up after several ends in a row, with the end of the last log', async (t) => {
  const { start, started } = programs('', undefined, 'console.error("no luck"); process.exit(1)');
  const kept = await KeptOperator.start(start, { delaysMs: [1, 1], recoveredMs: 600_000 });
  const failure = await eventually('it is given up', () => kept.failure);
  t.is(failure, 'the operator ended with 1, 3 times in a row. The end of its log:\nno luck');
  t.is(started.length, 2, 'one could not be started');
  await kept.stop(0);
});

test('an end after a long life is the first again', async (t) => {
  const { start } = programs('', '', '', STAYS);
  // Every life is long.
  const kept = await KeptOperator.start(start, { delaysMs: [1], recoveredMs: 0 });
  await eventually('it runs for the fourth time', () => kept.story?.includes('restart 3'));
  t.is(kept.failure, undefined);
  await kept.stop(10_000);
});

test('where it may not end, the first end is the last', async (t) => {
  const { start, started } = programs('process.exit(9)');
  const kept = await KeptOperator.start(start, NEVER);
  t.regex(await eventually('it is given up', () => kept.failure), /^the operator ended with 9\. The end/);
  t.is(started.length, 1);
});

test('stopped while it waits to be started again, it is not started', async (t) => {
  const { start, started } = programs('', STAYS);
  const kept = await KeptOperator.start(start, { delaysMs: [3_600_000], recoveredMs: 60_000 });
  await eventually('it waits', () => kept.story === 'ended with 0; starts again in 3600 s');
  await kept.stop(10_000);
  t.is(started.length, 1);
});

test('stopped while it is being started, what was started ends, too', async (t) => {
  const { start, started } = programs('', STAYS);
  const begun = Promise.withResolvers<undefined>();
  const goOn = Promise.withResolvers<undefined>();
  const slowly: StartOperator = async (signal) => {
    if (started.length === 0) return start(signal);
    begun.resolve(undefined);
    await goOn.promise;
    return start(signal);
  };
  const kept = await KeptOperator.start(slowly, { delaysMs: [1], recoveredMs: 60_000 });
  await begun.promise;
  const stopped = kept.stop(10_000);
  goOn.resolve(undefined);
  await stopped;
  t.true(started[1]?.hasEnded);
});
