// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Begin } from './loud-thread.ts';

/** Asks as fast as it is answered, in a thread of its own: else whoever measures beside it would wait for what it writes and reads. */
export class LoudAsker {
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** One that waits to be told. */
  static async start(port: number): Promise<LoudAsker> {
    const worker = new Worker(new URL('./loud-thread.ts', import.meta.url), { workerData: { port } });
    await replyOf(worker);
    return new LoudAsker(worker);
  }

  /** Has it ask for a namespace until `end`, with objects that rules that do harm look for. */
  begin(begin: Begin): void {
    this.#worker.postMessage(begin, []);
  }

  /** Has it stop; how many answers it had since it began. */
  async end(): Promise<number> {
    const count = replyOf(this.#worker);
    this.#worker.postMessage(undefined, []);
    return count;
  }

  /** Ends it for good. */
  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

async function replyOf(worker: Worker): Promise<number> {
  const [count] = (await once(worker, 'message')) as [number];
  return count;
}
