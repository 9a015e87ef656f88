// SPDX-License-Identifier: Apache-2.0
import type { Question } from '../instance.ts';
import { Failure } from '../verdict.ts';
import type { FairLimits } from './fair-jobs.ts';
import { type LineJob, Lines, type Trial } from './lines.ts';
import type { Order } from './messages.ts';
import { Suspects, suspicionOf } from './suspects.ts';
import type { RunOutcome, WorkerEnd, WorkerEvents, WorkerHandle } from './worker-handle.ts';

type Run = Extract<Order, { kind: 'run' }>;

/** What a worker is to do, in which time once it does it, and whether it is of what decides or of what is tried. */
export interface LaneJob extends LineJob {
  /** Names module, data and memory together. */
  readonly key: string;
  readonly source: NonNullable<Run['source']>;
  /**
   * Makes the question once a worker is free for it, whose bytes are handed over: what waits, and what is never begun, takes no memory
   * and no time for its input. Without it, the module is loaded, and no more.
   */
  readonly ask?: (() => Question) | undefined;
  readonly deadlineMs: number;
  /**
   * What a worker that has to be told of the module first may take to load it, beside the deadline; without, that is part of the deadline.
   * Asked when there is a worker: what waits for one may have to go meanwhile.
   */
  readonly loadDeadlineMs?: (() => number | undefined) | undefined;
  /** What its rules are given where the request has time enough, to judge them by. Without, nobody is judged by it: to load is not to ask. */
  readonly ownDeadlineMs?: number | undefined;
  /** By the clock on the wall, for what decides: at least so long it is waited for where others keep it from the processors. */
  readonly patienceMs?: number | undefined;
}

/** What a job came to; `crowded` where it was never begun. */
export type LaneOutcome = RunOutcome | { readonly kind: 'crowded'; readonly message: string };

/** How long jobs of a trial are waited for. */
export interface TrialPatience {
  /** What has waited so long is not begun any more. */
  readonly maxWaitMs: number;
  /** By the clock on the wall, for what has begun and is kept from the processors by others. */
  readonly patienceMs: number;
}

/** How a lane is made. */
export interface LaneOptions extends FairLimits {
  readonly workers: number;
  /** Whoever has waited so long is not begun any more. */
  readonly maxWaitMs: number;
  /** As `TrialPatience` has it, for what decides. */
  readonly patienceMs?: number;
  readonly trials: Readonly<Record<Trial, TrialPatience>>;
  /** A worker that is ready, or will be. */
  readonly newWorker: (events: WorkerEvents) => WorkerHandle;
  readonly onWorkerEnd: (why: WorkerEnd) => void;
}

interface Waiting extends LineJob {
  readonly job: LaneJob;
  readonly resolve: (outcome: LaneOutcome) => void;
  /** Undefined where it is begun at once, as nearly all are. */
  patience?: NodeJS.Timeout;
  isBegun: boolean;
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

/**
 * Some workers, and the jobs that wait for them. Lanes share nothing: what one is busy with does not keep the other waiting. What is tried
 * takes no worker that what decides needs: it has lines of its own, runs one job at a time, and never on the last idle worker.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #slots: Slot[];
  readonly #jobs: Lines<Waiting>;
  readonly #suspects = new Suspects();
  /** Jobs of trials that run. */
  #trying = 0;
  #isClosed = false;
  #onReady: () => void = () => undefined;
  readonly #ready: Promise<void>;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#jobs = new Lines(options);
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
      const { subject, trial } = job;
      const { maxWaitMs } = trial === undefined ? this.#options : this.#options.trials[trial];
      const waiting: Waiting = { subject, trial, job, resolve, isBegun: false };
      if (!this.#jobs.add(waiting)) return resolve(crowded('too many evaluations wait already'));
      this.#pump();
      if (waiting.isBegun) return;
      waiting.patience = setTimeout(() => {
        if (this.#jobs.remove(waiting)) resolve(crowded(`no worker was free within ${maxWaitMs} ms`));
      }, maxWaitMs);
    });
  }

  /**
   * Has every worker do the same, one worker after the other, so that others are free for what is asked meanwhile; the outcomes, up to
   * the first that is no answer.
   */
  async everywhere(job: LaneJob): Promise<readonly RunOutcome[]> {
    const outcomes: RunOutcome[] = [];
    for (const slot of this.#slots) {
      const before = outcomes.at(-1);
      // Until it has given memory back, the worker before is not free for others.
      if (before?.collected !== undefined) await before.collected;
      const outcome = this.#isClosed ? CLOSED : await this.#load(slot, job);
      outcomes.push(outcome);
      if (outcome.kind !== 'answer') break;
    }
    return outcomes;
  }

  /** Whether all workers have it: none has to be told of it before it is asked. */
  hasLoaded(key: string): boolean {
    return this.#slots.every(({ worker }) => worker.hasLoaded(key));
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
    // While it gives memory back it runs nobody's rules.
    if (why !== 'stuck') this.#suspects.note(slot.subject, 'stopped');
    slot.worker = this.#newWorker(() => slot);
    this.#pump();
  }

  /** Gives every idle worker something to do: what it has to load, or else the job whose turn it is. What decides goes first. */
  #pump(): void {
    for (const slot of this.#slots) {
      if (slot.worker.isIdle && !this.#decide(slot) && this.#mayTry()) this.#try(slot);
    }
    if (this.#slots.every(({ worker }) => worker.isStarted)) this.#onReady();
  }

  /**
   * Those whose rules take long have one worker for all of them, when it is their turn: so they wait for each other, and others have the
   * rest. Those whose rules are stopped have it only while another is idle as well.
   */
  #decide(slot: Slot): boolean {
    if (this.#loads(slot, (trial) => trial === undefined)) return true;
    return this.#begin(
      slot,
      this.#jobs.takeDeciding((subject) => this.#mayHave(slot, subject)),
    );
  }

  #mayHave(slot: Slot, subject: string): boolean {
    const why = this.#suspects.of(subject);
    if (why === undefined || this.#slots.length === 1) return true;
    return slot === this.#slots.at(-1) && (why === 'long' || this.#idle > 1);
  }

  #try(slot: Slot): void {
    if (!this.#loads(slot, (trial) => trial !== undefined)) this.#begin(slot, this.#jobs.takeTrial());
  }

  /** Only when what was ended for the one before is replaced. A single worker has to do all there is. */
  #mayTry(): boolean {
    if (this.#slots.length === 1) return true;
    return this.#trying === 0 && this.#idle > 1 && this.#slots.every(({ worker }) => worker.isStarted);
  }

  get #idle(): number {
    return this.#slots.filter(({ worker }) => worker.isIdle).length;
  }

  /** Loads the first that it has to; false where there is none. */
  #loads(slot: Slot, may: (trial: Trial | undefined) => boolean): boolean {
    const index = slot.loads.findIndex(({ job }) => may(job.trial));
    const [load] = index === -1 ? [] : slot.loads.splice(index, 1);
    if (load === undefined) return false;
    void this.#run(slot, load.job).then(load.resolve);
    return true;
  }

  #begin(slot: Slot, waiting: Waiting | undefined): boolean {
    if (waiting === undefined) return false;
    waiting.isBegun = true;
    clearTimeout(waiting.patience);
    void this.#run(slot, waiting.job, () => this.#jobs.done(waiting)).then(waiting.resolve);
    return true;
  }

  async #run(slot: Slot, job: LaneJob, onEnd?: () => void): Promise<RunOutcome> {
    const { worker } = slot;
    const { subject, trial, key, deadlineMs } = job;
    const made = questionOf(job);
    if ('kind' in made) {
      onEnd?.();
      // Not from within: what waits behind it may come to the same.
      setImmediate(() => this.#pump());
      return made;
    }
    // Who is judged by what is tried has not brought it: workers that are ended for it make nobody suspect.
    slot.subject = trial === undefined ? subject : '';
    if (trial !== undefined) this.#trying += 1;
    const told = worker.knows(key) ? KNOWN : newsOf(job);
    const run = { key, question: made.question, ...told };
    const ran = await worker.run(run, deadlineMs, this.#patienceMs(job));
    const outcome = told.loadDeadlineMs === undefined ? ran : { ...ran, apartMs: loadMsOf(ran) };
    this.#judge(slot.subject, job, outcome);
    const end = (): void => {
      if (trial !== undefined) this.#trying -= 1;
      onEnd?.();
      this.#pump();
    };
    // Whose memory is given back has the worker until then: nobody gets another one meanwhile.
    if (outcome.collected === undefined) end();
    else void outcome.collected.then(end);
    return outcome;
  }

  #judge(subject: string, { ownDeadlineMs }: LaneJob, outcome: RunOutcome): void {
    // What ended its worker is seen where that is replaced.
    if (outcome.kind === 'stopped' || ownDeadlineMs === undefined) return;
    const why = suspicionOf(outcome, ownDeadlineMs);
    if (why !== undefined) this.#suspects.note(subject, why);
  }

  /** What waits for a worker that is the only one is not kept waiting for a trial. */
  #patienceMs({ trial, patienceMs = 0 }: LaneJob): number {
    const { trials, patienceMs: leastMs = 0 } = this.#options;
    return trial === undefined || this.#slots.length === 1
      ? Math.max(leastMs, patienceMs)
      : trials[trial].patienceMs;
  }
}

/** What a worker has to be told of a module that it knows. */
const KNOWN = { source: undefined, loadDeadlineMs: undefined };

/** What one has to be told that does not. */
function newsOf({ source, loadDeadlineMs }: LaneJob): Pick<Run, 'source' | 'loadDeadlineMs'> {
  return { source, loadDeadlineMs: loadDeadlineMs?.() };
}

/** What it took of a processor until there was an instance, as far as that is known. */
function loadMsOf({ loadMicros = 0, hadMs }: RunOutcome): number {
  return Math.min(loadMicros / 1000, hadMs);
}

const CLOSED: RunOutcome = {
  kind: 'stopped',
  reason: 'Lost',
  message: 'the host is closed',
  micros: 0,
  hadMs: 0,
};

/** What a worker is asked, or that this could not be made: then nothing is begun. */
function questionOf({ ask }: LaneJob): { readonly question: Question | undefined } | RunOutcome {
  try {
    return { question: ask?.() };
  } catch (error) {
    const message = `its input could not be made: ${error instanceof Error ? error.message : String(error)}`;
    return { kind: 'failed', reason: Failure.Overloaded, message, micros: 0, hadMs: 0 };
  }
}

function crowded(message: string): LaneOutcome {
  return { kind: 'crowded', message };
}
