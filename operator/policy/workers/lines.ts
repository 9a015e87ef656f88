// SPDX-License-Identifier: Apache-2.0
import { FairJobs, type FairLimits, type Job } from './fair-jobs.ts';

/**
 * For what a revision is asked that is being tried: for requests of its cohort, which wait for the answer, or in shadow, and to be loaded,
 * for which nobody waits.
 */
export const TRIALS = ['cohort', 'shadow'] as const;
/** One of them. */
export type Trial = (typeof TRIALS)[number];

/** A job that may be one of a trial. */
export interface LineJob extends Job {
  readonly trial?: Trial | undefined;
}

/** Three lines for the same workers: what decides, and behind that, each by itself, what is tried. */
export class Lines<T extends LineJob> {
  readonly #deciding: FairJobs<T>;
  readonly #trials: Readonly<Record<Trial, FairJobs<T>>>;

  constructor(limits: FairLimits) {
    this.#deciding = new FairJobs(limits);
    this.#trials = { cohort: new FairJobs(limits), shadow: new FairJobs(limits) };
  }

  get waiting(): number {
    return this.#all.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  /** Takes a job; false where too much waits already in its line. */
  add(job: T): boolean {
    return this.#lineOf(job).add(job);
  }

  /** The job of what decides whose turn it is; undefined where none may run. */
  takeDeciding(mayRun: (subject: string) => boolean): T | undefined {
    return this.#deciding.take(mayRun);
  }

  /** The job of a trial whose turn it is: somebody waits for that of a cohort. */
  takeTrial(): T | undefined {
    return this.#trials.cohort.take() ?? this.#trials.shadow.take();
  }

  /** A job that was taken has ended. */
  done(job: T): void {
    this.#lineOf(job).done(job);
  }

  /** Takes a job out of its line; false where it does not wait. */
  remove(job: T): boolean {
    return this.#lineOf(job).remove(job);
  }

  /** Takes all that waits out of the lines. */
  clear(): readonly T[] {
    return this.#all.flatMap((line) => line.clear());
  }

  get #all(): readonly FairJobs<T>[] {
    return [this.#deciding, ...TRIALS.map((trial) => this.#trials[trial])];
  }

  #lineOf({ trial }: T): FairJobs<T> {
    return trial === undefined ? this.#deciding : this.#trials[trial];
  }
}
