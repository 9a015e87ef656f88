// SPDX-License-Identifier: Apache-2.0
import { Lane, type LaneJob } from '../lane.ts';
import type { Trial } from '../lines.ts';
import type { RunOutcome, WorkerEvents, WorkerHandle } from '../worker-handle.ts';

/** What is answered where a test says nothing else. */
export const ANSWER: RunOutcome = { kind: 'answer', json: undefined, micros: 1 } as unknown as RunOutcome;
/** What ends its worker. */
export const STOPPED: RunOutcome = {
  kind: 'stopped',
  reason: 'Timeout',
  message: 'late',
  micros: 1,
  hadMs: 1,
};

function stateAfter({ kind, collected }: RunOutcome): 'ended' | 'busy' | 'idle' {
  if (kind === 'stopped') return 'ended';
  return collected === undefined ? 'idle' : 'busy';
}

interface Running {
  readonly key: string;
  readonly patienceMs: number | undefined;
  readonly end: (outcome: RunOutcome) => void;
  readonly give: () => void;
}

/** Workers that are busy until they are told that they are not, and what they do. */
function playedWorkers() {
  const running: Running[] = [];
  const starting: (() => void)[] = [];
  let isSlowToStart = false;
  /** Workers that are started from now on are ready when `starts` is called. */
  const startsSlowly = (): void => {
    isSlowToStart = true;
  };
  const newWorker = (events: WorkerEvents): WorkerHandle => {
    let state: 'starting' | 'idle' | 'busy' | 'ended' = isSlowToStart ? 'starting' : 'idle';
    if (isSlowToStart)
      starting.push(() => {
        state = 'idle';
        events.onReady();
      });
    const worker = {
      get isIdle() {
        return state === 'idle';
      },
      get isStarted() {
        return state === 'idle' || state === 'busy';
      },
      knows: () => false,
      hasLoaded: () => false,
      forget: () => undefined,
      close: () => Promise.resolve(),
      run: ({ key }: { readonly key: string }, _: number, patienceMs?: number) => {
        state = 'busy';
        return new Promise<RunOutcome>((resolve) =>
          running.push({
            key,
            patienceMs,
            give: () => {
              state = 'idle';
            },
            end: (outcome) => {
              state = stateAfter(outcome);
              resolve(outcome);
              if (state === 'ended') events.onEnd('deadline');
            },
          }),
        );
      },
    };
    return worker as unknown as WorkerHandle;
  };
  return { running, newWorker, startsSlowly, starts: () => starting.shift()?.() };
}

/** A lane of workers that are busy until they are told that they are not. */
export function played(count: number, maxWaitMs = 60_000) {
  const { running, newWorker, startsSlowly, starts } = playedWorkers();
  const lane = new Lane({
    workers: count,
    maxWaitMs,
    maxWaiting: 10,
    maxWaitingPerSubject: 10,
    maxRunningPerSubject: 1,
    trials: { cohort: { maxWaitMs: 60_000, patienceMs: 1 }, shadow: { maxWaitMs: 60_000, patienceMs: 2 } },
    newWorker,
    onWorkerEnd: () => undefined,
  });
  const end = async (key: string, outcome = ANSWER) => {
    const index = running.findIndex((one) => one.key === key);
    running.splice(index, 1)[0]?.end(outcome);
    await new Promise((resolve) => setImmediate(resolve));
  };
  /** What has the worker that does `key` be idle again. */
  const gives = (key: string) => {
    const worker = running.find((one) => one.key === key);
    const { promise, resolve } = Promise.withResolvers<number>();
    const give = async () => {
      worker?.give();
      resolve(0);
      await new Promise((done) => setImmediate(done));
    };
    return { promise, give };
  };
  const keys = () => running.map(({ key }) => key);
  const patience = () => running.map(({ patienceMs }) => patienceMs);
  return { lane, end, gives, keys, patience, startsSlowly, starts };
}

/** A job of a subject, named by its key. */
export function job(subject: string, key: string, trial?: Trial): LaneJob {
  return { subject, deadlineMs: 1000, ownDeadlineMs: 1000, source: {}, key, trial } as unknown as LaneJob;
}
