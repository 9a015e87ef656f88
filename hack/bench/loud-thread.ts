// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { type Asked, dispatcherToAnybody } from '../system/direct-review.ts';
import { mayMake } from './tenant-review.ts';

/** What the thread is told to begin with; undefined tells it to stop. */
export interface Begin {
  readonly namespace: string;
  /** So many times a second at most, all connections together; without, as fast as it is answered. */
  readonly perSecond?: number | undefined;
}

const ASKERS = 8;

/** Asks over several connections until `end`; how many answers there were. */
function ask(asked: Asked, { namespace, perSecond }: Begin): { readonly end: () => Promise<number> } {
  const state = { isOver: false, nextAt: performance.now() };
  const turn = async (): Promise<void> => {
    if (perSecond === undefined) return;
    const waitMs = state.nextAt - performance.now();
    // What was missed is not made up for.
    state.nextAt = Math.max(state.nextAt, performance.now()) + 1000 / perSecond;
    if (waitMs > 0) await delay(waitMs);
  };
  const loop = async (): Promise<number> => {
    let count = 0;
    for (; !state.isOver; count += 1) {
      await turn();
      await mayMake(asked, { namespace, isBad: true });
    }
    return count;
  };
  const loops = Array.from({ length: ASKERS }, loop);
  return {
    end: async () => {
      state.isOver = true;
      const counts = await Promise.all(loops);
      return counts.reduce((sum, one) => sum + one, 0);
    },
  };
}

const { port } = workerData as Pick<Asked, 'port'>;
const dispatcher = dispatcherToAnybody();
let asking: ReturnType<typeof ask> | undefined;
parentPort?.on('message', (begin: Begin | undefined) => {
  if (begin !== undefined) asking = ask({ dispatcher, port }, begin);
  else void asking?.end().then((count) => parentPort?.postMessage(count, []));
});
parentPort?.postMessage(0, []);
