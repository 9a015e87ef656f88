// SPDX-License-Identifier: Apache-2.0
import { FairJobs, type Job } from '#operator/policy/workers/fair-jobs';

interface Waiting extends Job {
  readonly begin: () => void;
}

/**
 * What requests need of the thread that answers all of them, one piece in each round of its event loop, by turns of whose they are. Between
 * two pieces of one who asks for much, whatever else has come is read, and goes before the next. Whose time is over leaves the line at once, so
 * no more waits than is in flight.
 */
export class Turns {
  readonly #waiting = new FairJobs<Waiting>({
    maxWaiting: Infinity,
    maxWaitingPerSubject: Infinity,
    maxRunningPerSubject: Infinity,
  });
  /** Whether this round has been had. */
  #isHad = false;

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.waiting;
  }

  /**
   * Undefined where it is the turn of `subject` at once, as it is when nobody else has work; else resolves when it is, or `signal` says that
   * nobody waits for it any more.
   */
  take(subject: string, signal: AbortSignal): Promise<void> | undefined {
    if (signal.aborted) return undefined;
    if (!this.#isHad) {
      this.#have();
      return undefined;
    }
    return new Promise((resolve) => {
      const leave = (): void => {
        this.#waiting.remove(job);
        resolve();
      };
      const begin = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const job: Waiting = { subject, begin };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.add(job);
    });
  }

  #have(): void {
    this.#isHad = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    this.#isHad = false;
    const next = this.#waiting.take();
    if (next === undefined) return;
    this.#waiting.done(next);
    this.#have();
    next.begin();
  }
}
