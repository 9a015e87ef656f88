// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { Lane, type LaneJob } from './lane.ts';
import type { RunOutcome, WorkerHandle } from './worker-handle.ts';

const ANSWER: RunOutcome = { kind: 'answer', json: undefined, micros: 1 } as unknown as RunOutcome;
const STOPPED: RunOutcome = { kind: 'stopped', reason: 'Timeout', message: 'late', micros: 1, hadMs: 1 };

/** Workers that are busy until they are told that they are not. */
function played(count: number) {
  const running: { readonly key: string; readonly end: (outcome: RunOutcome) => void }[] = [];
  const newWorker = (): WorkerHandle => {
    let isIdle = true;
    const worker = {
      get isIdle() {
        return isIdle;
      },
      isStarted: true,
      knows: () => false,
      forget: () => undefined,
      close: () => Promise.resolve(),
      run: ({ key }: { readonly key: string }) => {
        isIdle = false;
        return new Promise<RunOutcome>((resolve) =>
          running.push({
            key,
            end: (outcome) => {
              isIdle = true;
              resolve(outcome);
            },
          }),
        );
      },
    };
    return worker as unknown as WorkerHandle;
  };
  const lane = new Lane({
    workers: count,
    maxWaitMs: 10_000,
    maxWaiting: 10,
    maxWaitingPerSubject: 10,
    maxRunningPerSubject: 1,
    newWorker,
    onWorkerEnd: () => undefined,
  });
  const end = async (key: string, outcome = ANSWER) => {
    const index = running.findIndex((one) => one.key === key);
    running.splice(index, 1)[0]?.end(outcome);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { lane, end, keys: () => running.map(({ key }) => key) };
}

function job(subject: string, key: string): LaneJob {
  return { subject, deadlineMs: 1000, source: {}, order: { key, question: undefined } } as unknown as LaneJob;
}

test('what every worker has to load takes one of them at a time, and others go on', async (t) => {
  const { lane, end, keys } = played(2);
  const loaded = lane.everywhere(job('slow', 'load'));
  t.deepEqual(keys(), ['load']);
  const asked = lane.submit(job('calm', 'ask'));
  t.deepEqual(keys(), ['load', 'ask'], 'the other worker is free');
  await end('ask');
  t.is((await asked).kind, 'answer');
  t.deepEqual(keys(), ['load']);
  await end('load');
  t.deepEqual(keys(), ['load'], 'the second one');
  await end('load');
  t.deepEqual(await loaded, [ANSWER, ANSWER]);
});

test('what one worker could not load is not tried in the next', async (t) => {
  const { lane, end, keys } = played(3);
  const loaded = lane.everywhere(job('slow', 'load'));
  await end('load', STOPPED);
  t.deepEqual(await loaded, [STOPPED]);
  t.deepEqual(keys(), []);
});

test('a lane that is closed has nothing loaded', async (t) => {
  const { lane } = played(2);
  await lane.close();
  t.like((await lane.everywhere(job('slow', 'load')))[0], { kind: 'stopped', reason: 'Lost' });
});
