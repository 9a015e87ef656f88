// SPDX-License-Identifier: Apache-2.0

/** Something that waits, and for whom. */
export interface Job {
  readonly subject: string;
  /** It goes before what else of the subject waits, and takes nothing from others. */
  readonly isUrgent?: boolean;
}

/** How much may wait, and be under way. */
export interface FairLimits {
  readonly maxWaiting: number;
  readonly maxWaitingPerSubject: number;
  readonly maxRunningPerSubject: number;
}

/** Jobs that wait, dealt out to subjects in turn: however much one asks for, others wait for one of its jobs at most. */
export class FairJobs<T extends Job> {
  readonly #limits: FairLimits;
  /** Those with something that waits; whose turn it is comes first. */
  readonly #waiting = new Map<string, T[]>();
  readonly #running = new Map<string, number>();
  #count = 0;

  constructor(limits: FairLimits) {
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#count;
  }

  /** How much of one subject waits. */
  waitingOf(subject: string): number {
    return this.#waiting.get(subject)?.length ?? 0;
  }

  /** Takes a job; false where too much waits already. */
  add(job: T): boolean {
    const mine = this.#waiting.get(job.subject) ?? [];
    if (this.#count >= this.#limits.maxWaiting || mine.length >= this.#limits.maxWaitingPerSubject)
      return false;
    const place = job.isUrgent === true ? mine.findIndex((one) => one.isUrgent !== true) : -1;
    mine.splice(place === -1 ? mine.length : place, 0, job);
    this.#waiting.set(job.subject, mine);
    this.#count += 1;
    return true;
  }

  /**
   * The job whose turn it is, which runs from now on; undefined where none waits, or those that do have enough under way, or may not
   * run for another reason.
   */
  take(mayRun: (subject: string) => boolean = () => true): T | undefined {
    for (const [subject, jobs] of this.#waiting) {
      const running = this.#running.get(subject) ?? 0;
      if (running >= this.#limits.maxRunningPerSubject || !mayRun(subject)) continue;
      const job = jobs.shift();
      // To the end of the line, if there is more.
      this.#waiting.delete(subject);
      if (jobs.length > 0) this.#waiting.set(subject, jobs);
      if (job === undefined) continue;
      this.#count -= 1;
      this.#running.set(subject, running + 1);
      return job;
    }
    return undefined;
  }

  /** A job that was taken has ended. */
  done({ subject }: T): void {
    const running = (this.#running.get(subject) ?? 1) - 1;
    if (running > 0) this.#running.set(subject, running);
    else this.#running.delete(subject);
  }

  /** Takes a job out of the line; false where it does not wait. */
  remove(job: T): boolean {
    const mine = this.#waiting.get(job.subject) ?? [];
    const index = mine.indexOf(job);
    if (index === -1) return false;
    mine.splice(index, 1);
    if (mine.length === 0) this.#waiting.delete(job.subject);
    this.#count -= 1;
    return true;
  }

  /** Takes all that waits out of the line. */
  clear(): readonly T[] {
    const all = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    this.#count = 0;
    return all;
  }
}
