// SPDX-License-Identifier: Apache-2.0
import { FairJobs, type FairLimits, type Job } from './fair-jobs.ts';
import type { Order } from './messages.ts';
import type { RunOutcome, WorkerEnd, WorkerEvents, WorkerHandle } from './worker-handle.ts';

/** What a worker is to do, and in which time once it does it. */
export interface LaneJob extends Job {
  readonly order: Omit<Extract<Order, { kind: 'run' }>, 'kind' | 'id' | 'source' | 'deadlineMs'>;
  readonly source: NonNullable<Extract<Order, { kind: 'run' }>['source']>;
  readonly deadlineMs: number;
}

/** What a job came to; `crowded` where it was never begun. */
export type LaneOutcome = RunOutcome | { readonly kind: 'crowded'; readonly message: string };

/** How a lane is made. */
export interface LaneOptions extends FairLimits {
  readonly workers: number;
  /** Whoever has waited so long is not begun any more. */
  readonly maxWaitMs: number;
  /** A worker that is ready, or will be. */
  readonly newWorker: (events: WorkerEvents) => WorkerHandle;
  readonly onWorkerEnd: (why: WorkerEnd) => void;
}

interface Waiting extends Job {
  readonly job: LaneJob;
  readonly resolve: (outcome: LaneOutcome) => void;
  readonly patience: NodeJS.Timeout;
}

interface Load {
  readonly job: LaneJob;
  readonly resolve: (outcome: RunOutcome) => void;
}

/** The place of one worker. Workers come and go; what its place has to load stays. */
interface Slot {
  worker: WorkerHandle;
  loads: Load[];
  /** Whose job its worker does, or did last. */
  subject: string;
}

/** Some workers, and the jobs that wait for them. Lanes share nothing: what one is busy with does not keep the other waiting. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #slots: Slot[];
  readonly #jobs: FairJobs<Waiting>;
  /** Of whom workers had to be ended, and when. */
  readonly #suspects = new Map<string, readonly number[]>();
  #isClosed = false;
  #onReady: () => void = () => undefined;
  readonly #ready: Promise<void>;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#jobs = new FairJobs(options);
    this.#ready = new Promise((resolve) => {
      this.#onReady = resolve;
    });
    this.#slots = Array.from({ length: options.workers }, () => this.#newSlot());
    if (options.workers === 0) this.#onReady();
  }

  /** When each worker takes orders for the first time. */
  ready(): Promise<void> {
    return this.#ready;
  }

  get waiting(): number {
    return this.#jobs.waiting;
  }

  /** Does a job as soon as it is its subject's turn. Never rejects, and never takes longer than waiting and deadline together. */
  submit(job: LaneJob): Promise<LaneOutcome> {
    if (this.#isClosed) return Promise.resolve(crowded('the host is closed'));
    return new Promise((resolve) => {
      const { maxWaitMs } = this.#options;
      const patience = setTimeout(() => {
        if (this.#jobs.remove(waiting)) resolve(crowded(`no worker was free within ${maxWaitMs} ms`));
      }, maxWaitMs);
      const waiting: Waiting = { subject: job.subject, job, resolve, patience };
      if (this.#jobs.add(waiting)) return this.#pump();
      clearTimeout(patience);
      return resolve(crowded('too many evaluations wait already'));
    });
  }

  /**
   * Has every worker do the same, one worker after the other, so that others are free for what is asked meanwhile; the outcomes, up to
   * the first that is no answer.
   */
  async everywhere(job: LaneJob): Promise<readonly RunOutcome[]> {
    const outcomes: RunOutcome[] = [];
    for (const slot of this.#slots) {
      const outcome = this.#isClosed ? CLOSED : await this.#load(slot, job);
      outcomes.push(outcome);
      if (outcome.kind !== 'answer') break;
    }
    return outcomes;
  }

  forget(key: string): void {
    for (const { worker } of this.#slots) worker.forget(key);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { patience, resolve } of this.#jobs.clear()) {
      clearTimeout(patience);
      resolve(crowded('the host is closed'));
    }
    await Promise.all(this.#slots.map(({ worker }) => worker.close()));
    for (const { resolve } of this.#slots.flatMap(({ loads }) => loads.splice(0))) resolve(CLOSED);
  }

  #load(slot: Slot, job: LaneJob): Promise<RunOutcome> {
    const outcome = new Promise<RunOutcome>((resolve) => slot.loads.push({ job, resolve }));
    this.#pump();
    return outcome;
  }

  #newSlot(): Slot {
    const loads: Load[] = [];
    const slot: Slot = { worker: this.#newWorker(() => slot), loads, subject: '' };
    return slot;
  }

  #newWorker(slot: () => Slot): WorkerHandle {
    return this.#options.newWorker({
      onReady: () => this.#pump(),
      onEnd: (why) => this.#replace(slot(), why),
    });
  }

  #replace(slot: Slot, why: WorkerEnd): void {
    if (this.#isClosed) return;
    this.#options.onWorkerEnd(why);
    this.#suspect(slot.subject);
    slot.worker = this.#newWorker(() => slot);
    this.#pump();
  }

  /** Gives every idle worker something to do: what it has to load, or else the job whose turn it is. */
  #pump(): void {
    for (const slot of this.#slots) {
      if (!slot.worker.isIdle) continue;
      const load = slot.loads.shift();
      if (load !== undefined) void this.#run(slot, load.job).then(load.resolve);
      else this.#next(slot);
    }
    if (this.#slots.every(({ worker }) => worker.isStarted)) this.#onReady();
  }

  /** The last idle worker is for those of whom none had to be ended of late: it takes a while until there is another. */
  #next(slot: Slot): void {
    const isLast = this.#slots.length > 1 && this.#slots.filter(({ worker }) => worker.isIdle).length === 1;
    const waiting = this.#jobs.take((subject) => !isLast || !this.#isSuspect(subject));
    if (waiting === undefined) return;
    clearTimeout(waiting.patience);
    void this.#run(slot, waiting.job, () => this.#jobs.done(waiting)).then(waiting.resolve);
  }

  #suspect(subject: string): void {
    const now = performance.now();
    for (const [name, times] of this.#suspects) {
      if (now - (times.at(-1) ?? 0) > SUSPECT_MS) this.#suspects.delete(name);
    }
    // The platform itself is nobody's suspect.
    if (subject !== '') this.#suspects.set(subject, [...(this.#suspects.get(subject) ?? []).slice(-1), now]);
  }

  /** Once is nothing: on a machine that is busy, it happens to those whose rules are right. */
  #isSuspect(subject: string): boolean {
    const recent = (this.#suspects.get(subject) ?? []).filter(
      (atMs) => performance.now() - atMs < SUSPECT_MS,
    );
    return recent.length > 1;
  }

  async #run(
    slot: Slot,
    { subject, order, source, deadlineMs }: LaneJob,
    onEnd?: () => void,
  ): Promise<RunOutcome> {
    const { worker } = slot;
    slot.subject = subject;
    const outcome = await worker.run(
      { ...order, source: worker.knows(order.key) ? undefined : source },
      deadlineMs,
    );
    onEnd?.();
    this.#pump();
    return outcome;
  }
}

const SUSPECT_MS = 10_000;

const CLOSED: RunOutcome = {
  kind: 'stopped',
  reason: 'Lost',
  message: 'the host is closed',
  micros: 0,
  hadMs: 0,
};

function crowded(message: string): LaneOutcome {
  return { kind: 'crowded', message };
}
