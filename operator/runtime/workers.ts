// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { parseKey } from './controller.ts';
import { type LoopShare, loopShare } from './loop-share.ts';
import type { Outcome, Reconciler } from './reconcile.ts';
import type { WorkQueue } from './workqueue.ts';

/** Who works on which queue. */
export interface WorkersOptions {
  readonly queue: WorkQueue;
  readonly reconciler: Pick<Reconciler, 'reconcile'>;
  readonly concurrency: number;
  /** Of the event loop; that of the process when left out. */
  readonly share?: LoopShare;
  readonly controller: string;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** Takes keys from a queue, has them reconciled, and puts them back as the outcome says. */
export class Workers {
  readonly #options: WorkersOptions;
  #running: Promise<void> = Promise.resolve();

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  /** Ready to work; nothing is taken before `resume`. */
  start(): void {
    const workers = Array.from({ length: this.#options.concurrency }, () => this.#work());
    this.#running = Promise.all(workers).then(() => undefined);
  }

  /** Takes no more keys; what is under way is stopped by the fence before its next write. */
  pause(): void {
    this.#options.queue.pause();
  }

  resume(): void {
    this.#options.queue.resume();
  }

  /** Takes no more keys, and waits up to `withinMs` for what is under way. */
  async stop(withinMs: number): Promise<void> {
    this.#options.queue.shutDown();
    const end = new AbortController();
    const deadline = sleep(withinMs, 'late' as const, { signal: end.signal }).catch(() => undefined);
    const first = await Promise.race([this.#running, deadline]);
    end.abort();
    if (first === 'late') {
      const { controller, queue, log } = this.#options;
      log.warn({ controller, working: queue.working }, 'stopped while reconciles were under way');
    }
  }

  async #work(): Promise<void> {
    const { queue, reconciler, share = loopShare } = this.#options;
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      this.#gauge();
      // Before and not after: what comes in one burst is taken by all workers before any of them has worked.
      await share.rest(queue.groupAt(key));
      queue.begin(key);
      this.#settle(key, await reconciler.reconcile(parseKey(key)));
      queue.done(key);
      this.#gauge();
    }
  }

  #settle(key: string, outcome: Outcome): void {
    const { queue } = this.#options;
    if (outcome.kind === 'retry') {
      queue.retry(key, outcome.afterMs, outcome.atMostMs);
      return;
    }
    queue.forget(key);
    if (outcome.kind === 'requeueAfter') queue.addAfter(key, outcome.afterMs);
    if (outcome.kind === 'standby') queue.add(key);
  }

  #gauge(): void {
    const { metrics, controller, queue } = this.#options;
    metrics.activeWorkers.set({ controller }, queue.working);
  }
}
