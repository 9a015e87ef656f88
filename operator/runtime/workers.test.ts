// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { createLog } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { LoopShare } from './loop-share.ts';
import type { Outcome } from './reconcile.ts';
import { Workers } from './workers.ts';
import { WorkQueue } from './workqueue.ts';

const WORKERS = 16;

/** Workers of which each pass takes a millisecond, and what they did, one list for each turn of the event loop. */
function startWorkers(t: ExecutionContext, ms = 1) {
  const clock = { ms: 0 };
  const metrics = createMetrics();
  const queue = new WorkQueue({
    name: 'q',
    groupOf: (key) => key.split('/')[0] ?? '',
    backoff: { baseMs: 1, maxMs: 10, jitter: 0 },
    metrics,
  });
  const turns: string[][] = [[]];
  const turn = (): void => {
    turns.push([]);
    if (!isOver) setImmediate(turn);
  };
  let isOver = false;
  setImmediate(turn);
  const workers = new Workers({
    queue,
    concurrency: WORKERS,
    controller: 'c',
    metrics,
    log: createLog({ level: 'silent' }),
    share: new LoopShare(() => clock.ms, 4),
    reconciler: {
      async reconcile({ name }): Promise<Outcome> {
        // What a pass reads comes by microtasks.
        await Promise.resolve();
        clock.ms += ms;
        turns.at(-1)?.push(name);
        return { kind: 'done' };
      },
    },
  });
  workers.start();
  queue.resume();
  const stop = (): Promise<void> => {
    isOver = true;
    return workers.stop(1000);
  };
  t.teardown(stop);
  return { queue, turns };
}

/** Waits until so many passes were made. */
async function passes(turns: readonly (readonly string[])[], count: number): Promise<readonly string[]> {
  while (turns.flat().length < count) await new Promise<void>((resolve) => void setImmediate(resolve));
  return turns.flat();
}

test('of a burst that finds all workers idle no more is done in a turn than is its share', async (t) => {
  const { queue, turns } = startWorkers(t);
  for (let i = 0; i < 3 * WORKERS; i += 1) queue.add(`a/${i}`);
  const made = await passes(turns, 3 * WORKERS);
  t.is(new Set(made).size, 3 * WORKERS);
  const most = Math.max(...turns.map((turn) => turn.length));
  t.true(most <= 5, `${most} passes of a millisecond in a turn of 4`);
});

test('who is asked for again while it waits for a share is looked at once', async (t) => {
  const { queue, turns } = startWorkers(t);
  const keys = Array.from({ length: WORKERS }, (_, i) => `a/${i}`);
  for (const key of keys) queue.add(key);
  await Promise.resolve();
  // All are taken by now, and the last of them have not begun.
  t.is(queue.depth, 0);
  queue.add('a/15');
  await passes(turns, WORKERS);
  for (let turn = 0; turn < 5; turn += 1) await new Promise<void>((resolve) => void setImmediate(resolve));
  t.deepEqual(turns.flat().toSorted(), keys.map((key) => key.slice(2)).toSorted());
});
