// SPDX-License-Identifier: Apache-2.0
import type { WorkerEvents, WorkerHandle } from './worker-handle.ts';

const UNUSED: WorkerEvents = { onReady: () => undefined, onEnd: () => undefined };

/** Workers that have been started and wait for one to take the place of: starting takes longer than any evaluation may. */
export class Spares {
  readonly #count: number;
  readonly #start: (events: WorkerEvents) => WorkerHandle;
  readonly #spares: WorkerHandle[] = [];
  #isClosed = false;

  constructor(count: number, start: (events: WorkerEvents) => WorkerHandle) {
    this.#count = count;
    this.#start = start;
  }

  /** Starts what is missing. */
  fill(): void {
    while (!this.#isClosed && this.#spares.length < this.#count) this.#spares.push(this.#start(UNUSED));
  }

  /** A worker that takes orders, or will. What is taken is started anew. */
  take(events: WorkerEvents): WorkerHandle {
    const spare = this.#spares.findIndex((one) => !one.isEnded);
    const [taken] = spare === -1 ? [] : this.#spares.splice(spare, 1);
    setImmediate(() => this.fill());
    if (taken === undefined) return this.#start(events);
    taken.serve(events);
    return taken;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#spares.splice(0).map((one) => one.close()));
  }
}
