// SPDX-License-Identifier: Apache-2.0
import { FairJobs, type Job } from './fair-jobs.ts';

/** How much is under way at the same time, and how much of one subject may wait. */
export interface TurnLimits {
  readonly atOnce: number;
  readonly waitingPerSubject: number;
}

/** Whom to tell when there is room for what was not taken. */
export interface Refused {
  readonly key: string;
  readonly onRoom: (key: string) => void;
}

/** Work that is carried out some at a time, one of each subject, by turns of the subjects. */
export class FairWork<T extends Job> {
  readonly #carryOut: (job: T) => Promise<void>;
  readonly #limits: TurnLimits;
  readonly #jobs: FairJobs<T>;
  readonly #running = new Set<Promise<void>>();
  /** Of each subject what was not taken, to be told when there is room: keys alone, since there may be many. */
  readonly #refused = new Map<string, Map<string, Refused['onRoom']>>();
  #isClosed = false;

  /** `carryOut` must not reject. */
  constructor(carryOut: (job: T) => Promise<void>, limits: TurnLimits) {
    this.#carryOut = carryOut;
    this.#limits = limits;
    this.#jobs = new FairJobs({
      maxWaiting: Infinity,
      maxWaitingPerSubject: limits.waitingPerSubject,
      maxRunningPerSubject: 1,
    });
  }

  /** Takes a job; false where too much of its subject waits already: `onRoom` is called once that is over. */
  add(job: T, refused?: Refused): boolean {
    if (this.#isClosed) return true;
    if (this.#jobs.add(job)) {
      this.#pump();
      return true;
    }
    const others = this.#refused.get(job.subject) ?? new Map();
    if (refused !== undefined) this.#refused.set(job.subject, others.set(refused.key, refused.onRoom));
    return false;
  }

  /** Takes a job that waits out of the line: nobody wants it any more. */
  drop(job: T): void {
    if (this.#jobs.remove(job)) this.#tellAll(job.subject);
  }

  /** Lets what is under way end, and begins nothing more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#refused.clear();
    this.#jobs.clear();
    await Promise.all(this.#running);
  }

  #pump(): void {
    while (this.#running.size < this.#limits.atOnce) {
      const job = this.#jobs.take();
      if (job === undefined) return;
      const run = this.#run(job);
      this.#running.add(run);
      void run.then(() => {
        this.#running.delete(run);
        return this.#pump();
      });
      this.#tellAll(job.subject);
    }
  }

  async #run(job: T): Promise<void> {
    await this.#carryOut(job);
    this.#jobs.done(job);
  }

  /** With the last one that waited there is room: all that were not taken are told, since of some nobody may ask any more. */
  #tellAll(subject: string): void {
    const refused = this.#refused.get(subject);
    if (refused === undefined || this.#jobs.waitingOf(subject) > 0) return;
    this.#refused.delete(subject);
    // Not from within: whoever is told may ask at once.
    setImmediate(() => {
      for (const [key, onRoom] of refused) onRoom(key);
    });
  }
}
