// SPDX-License-Identifier: Apache-2.0
import type { Metrics } from '../telemetry/metrics.ts';
import type { Evaluation, Input, PolicyData } from './evaluate-here.ts';
import { HOST_LIMITS, type HostLimits } from './host-limits.ts';
import { type FetchBytes, ModuleSources, type Source } from './module-sources.ts';
import { apartMsOf, failed, toVerdict, wasStopped } from './outcomes.ts';
import { Failure, type Verdict } from './verdict.ts';
import { Budgets } from './workers/budgets.ts';
import { Lane, type LaneJob } from './workers/lane.ts';
import type { Trial } from './workers/lines.ts';
import type { WorkerSettings } from './workers/messages.ts';
import { isStrike, type ModuleOwner, Quarantine } from './workers/quarantine.ts';
import { Spares } from './workers/spares.ts';
import type { ThreadClock } from './workers/thread-clock.ts';
import { type RunOutcome, WORKER_URL, type WorkerEnd, WorkerHandle } from './workers/worker-handle.ts';

export { HOST_LIMITS, type HostLimits } from './host-limits.ts';

/** How a host is made. */
export interface HostOptions {
  /** Workers for modules of the platform alone. */
  readonly platformWorkers: number;
  /** Workers for modules of tenants alone. */
  readonly tenantWorkers: number;
  /** Started beforehand, for when one has to be ended. */
  readonly spareWorkers: number;
  readonly limits?: Partial<HostLimits>;
  readonly metrics: Pick<
    Metrics,
    'policyEvaluations' | 'policyEvaluationSeconds' | 'policyWorkerRestarts' | 'policyQuarantined'
  >;
  /** Milliseconds from any beginning, which never go back. */
  readonly clock?: () => number;
  /** How it is told what time the thread of a worker has had. */
  readonly threadClock?: ThreadClock;
  /** Gets what is not in memory, where it is not handed over with each evaluation. */
  readonly fetch?: FetchBytes;
  /** The program of the workers; by default the one beside this program. */
  readonly workerUrl?: URL;
  /** A module is no longer evaluated, until its digest is released. */
  readonly onQuarantine?: (owner: ModuleOwner) => void;
}

/** What is to be loaded before it is asked. */
export type Preparation = Pick<Evaluation, 'module' | 'memoryMiB' | 'tenant'> & {
  /** The entry points that will be asked; those of a prebuilt module may be thousands. Without, all of them. */
  readonly entrypoints?: readonly string[] | undefined;
  readonly data?: PolicyData | undefined;
  /** Whether it is tried only, and decides nothing yet. */
  readonly isTrial?: boolean | undefined;
};

/** Whether all workers could load a module. */
export type Prepared =
  | { readonly kind: 'ready' }
  | { readonly kind: 'refused'; readonly reason: Failure; readonly message: string };

type Ready = Extract<Source, { kind: 'ok' }>;
type Scope = 'platform' | 'tenant';

/** An evaluation, and whose request it is about. */
export type HostEvaluation = Evaluation & {
  /** Who is charged for it, and waits for itself alone. Without, the owner of the module. */
  readonly subject?: string | undefined;
  /** For what it is asked, where the module is only tried: then it takes no worker that what decides needs. */
  readonly trial?: Trial | undefined;
  /** What its rules are given where a request has time enough; without, `deadlineMs`. They are judged by it. */
  readonly ownDeadlineMs?: number | undefined;
  /** By the clock on the wall: how long whoever asks can wait, where others have the processors. */
  readonly patienceMs?: number | undefined;
};

/**
 * Evaluates policies in worker threads, those of the platform and those of tenants apart. Whatever a module does, every evaluation ends
 * in time with a verdict, and those of others go on.
 */
export class PolicyHost {
  readonly #options: HostOptions;
  readonly #limits: HostLimits;
  readonly #clock: () => number;
  readonly #spares: Spares;
  readonly #lanes: { readonly platform: Lane; readonly tenant: Lane };
  readonly #budgets: { readonly platform: Budgets; readonly tenant: Budgets };
  readonly #quarantine: Quarantine;
  readonly #sources: ModuleSources;
  /** Of each digest, the keys under which workers know it. */
  readonly #keys = new Map<string, Set<string>>();
  /** Keys of what had to go for others: until all workers have it again, to load it is not of the time of whoever asks for it. */
  readonly #returning = { platform: new Set<string>(), tenant: new Set<string>() };

  constructor(options: HostOptions) {
    this.#options = options;
    this.#limits = { ...HOST_LIMITS, ...options.limits };
    this.#clock = options.clock ?? (() => performance.now());
    const { budget, quarantine } = this.#limits;
    const { workerUrl = WORKER_URL, threadClock } = options;
    const program = { settings: workerSettings(this.#limits), url: workerUrl, threadClock };
    this.#spares = new Spares(options.spareWorkers, (events) => new WorkerHandle(program, events));
    this.#lanes = {
      platform: this.#newLane(options.platformWorkers),
      tenant: this.#newLane(options.tenantWorkers),
    };
    this.#budgets = { platform: new Budgets(budget), tenant: new Budgets(budget) };
    this.#quarantine = new Quarantine(quarantine);
    this.#sources = new ModuleSources({
      limitBytes: this.#limits.keptBytes,
      fetch: options.fetch ?? (() => Promise.resolve(undefined)),
      onEvict: (digest) => this.#forget(digest),
    });
  }

  /** Whether it fetches what it does not have, so that nobody else has to keep it. */
  get keeps(): boolean {
    return this.#options.fetch !== undefined;
  }

  /** When all workers take orders. */
  async ready(): Promise<void> {
    await Promise.all([this.#lanes.platform.ready(), this.#lanes.tenant.ready()]);
  }

  /** Loads a module, with its data, in all workers that may be asked for it, and has V8 compile what its first evaluation needs. */
  async prepare(preparation: Preparation): Promise<Prepared> {
    const { module, tenant } = preparation;
    const source = await this.#sources.take(preparation);
    if (source.kind === 'failed') return { ...source, kind: 'refused' };
    const scope = scopeOf(tenant);
    const lane = this.#lanes[scope];
    const job = this.#job(preparation, {
      source,
      subject: tenant ?? '',
      deadlineMs: this.#limits.loadDeadlineMs,
      trial: preparation.isTrial === true ? 'shadow' : undefined,
    });
    const outcomes = await lane.everywhere(job);
    this.#noteLoaded(scope, job.key);
    const fault = outcomes.find((one) => one.kind !== 'answer');
    if (fault !== undefined) return { kind: 'refused', reason: fault.reason, message: fault.message };
    return this.#warmUp(lane, job, preparation.entrypoints ?? module.entrypoints);
  }

  /** Evaluates. Never rejects; what cannot be evaluated is a verdict, too. */
  async evaluate(evaluation: HostEvaluation): Promise<Verdict> {
    const scope = scopeOf(evaluation.tenant);
    const verdict = this.#refusal(evaluation) ?? (await this.#evaluate(evaluation));
    this.#options.metrics.policyEvaluations.inc({
      scope,
      outcome: verdict.kind === 'failed' ? verdict.reason : verdict.kind,
    });
    this.#options.metrics.policyEvaluationSeconds.observe({ scope }, verdict.micros / 1e6);
    return verdict;
  }

  /** Modules that are not evaluated any more, since they failed too often. */
  isQuarantined(owner: ModuleOwner): boolean {
    return this.#quarantine.has(owner);
  }

  /** Forgets a module that nobody names any more, and whatever it has done. */
  release(digest: string): void {
    const keys = this.#keys.get(digest) ?? [];
    this.#keys.delete(digest);
    for (const key of keys) this.#forgetKey(key);
    this.#sources.release(digest);
    this.#quarantine.forget(digest);
    this.#options.metrics.policyQuarantined.set({}, this.#quarantine.size);
  }

  /** Forgets data that a module was asked with, and will not be any more. The module stays. */
  releaseData(digest: string, dataDigest: string): void {
    const keys = this.#keys.get(digest);
    for (const key of [...(keys ?? [])].filter((one) => one.startsWith(`${digest} ${dataDigest} `))) {
      keys?.delete(key);
      this.#forgetKey(key);
    }
  }

  /** Bytes that are counted for modules and data that are kept. */
  get keptBytes(): number {
    return this.#sources.bytes;
  }

  /** Ends all workers; what is under way comes to `Lost`. */
  async close(): Promise<void> {
    await Promise.all([...Object.values(this.#lanes), this.#spares].map((one) => one.close()));
  }

  #newLane(workers: number): Lane {
    const { maxWaitMs, maxWaiting, maxWaitingPerSubject, patienceMs, trials } = this.#limits;
    return new Lane({
      workers,
      maxWaitMs,
      patienceMs,
      trials,
      maxWaiting,
      maxWaitingPerSubject,
      // Where there are two workers, no tenant has both.
      maxRunningPerSubject: Math.max(workers - 1, 1),
      newWorker: (events) => this.#spares.take(events),
      onWorkerEnd: (reason: WorkerEnd) => this.#options.metrics.policyWorkerRestarts.inc({ reason }),
    });
  }

  /** Why an evaluation is not even begun. */
  #refusal(evaluation: HostEvaluation): Verdict | undefined {
    const { module, tenant, input } = evaluation;
    if (this.#quarantine.has({ tenant, digest: module.digest })) {
      const { strikes, withinMs } = this.#limits.quarantine;
      return failed(Failure.Quarantined, `it failed ${strikes} times within ${withinMs / 60_000} minutes`);
    }
    // What is not made yet is looked at by its worker.
    if (typeof input !== 'function' && input.length > this.#limits.maxInputBytes) {
      return failed(
        Failure.InputTooLarge,
        `the input has ${input.length} bytes; at most ${this.#limits.maxInputBytes} are taken`,
      );
    }
    const account = accountOf(evaluation);
    const waitMs = account === '' ? 0 : this.#budgets[scopeOf(tenant)].waitMs(account, this.#clock());
    if (waitMs === 0) return undefined;
    return failed(
      Failure.Overloaded,
      `${account} has used up the time it has for policies; again in ${waitMs} ms`,
    );
  }

  async #evaluate(evaluation: HostEvaluation): Promise<Verdict> {
    const { tenant, entrypoint, nowNs, input, trial, ownDeadlineMs = evaluation.deadlineMs } = evaluation;
    const isThere = this.#sources.has(evaluation);
    const source = await this.#sources.take(evaluation);
    if (source.kind === 'failed') return failed(source.reason, source.message);
    const scope = scopeOf(tenant);
    const returning = this.#returning[scope];
    if (!isThere) returning.add(this.#keyOf(evaluation));
    const subject = subjectOf(evaluation);
    const deadlineMs =
      Math.min(evaluation.deadlineMs, this.#limits.maxDeadlineMs) + reloadMs(evaluation, source);
    const patienceMs = Math.min(evaluation.patienceMs ?? 0, this.#limits.maxPatienceMs);
    const job = this.#job(evaluation, { source, subject, deadlineMs, trial, patienceMs });
    const outcome = await this.#lanes[scope].submit({
      ...job,
      loadDeadlineMs: () => (returning.has(job.key) ? this.#limits.loadDeadlineMs : undefined),
      ownDeadlineMs: Math.min(ownDeadlineMs, this.#limits.maxDeadlineMs),
      ask: () => ({ entrypoint, nowNs, input: bytesToGive(input) }),
    });
    this.#noteLoaded(scope, job.key);
    const verdict = toVerdict(outcome);
    if (outcome.kind !== 'crowded') this.#charge(evaluation, outcome);
    if (verdict.kind === 'failed') this.#blame(evaluation, verdict.reason);
    return verdict;
  }

  #noteLoaded(scope: Scope, key: string): void {
    if (this.#lanes[scope].hasLoaded(key)) this.#returning[scope].delete(key);
  }

  /**
   * Whose request it is pays, and what memory was given back for it is charged when it is known. What was loaded in time of its own
   * is paid by whose it is. The platform itself, which has no name, is charged nothing.
   */
  #charge(evaluation: HostEvaluation, outcome: RunOutcome): void {
    const { tenant } = evaluation;
    const { hadMs, collected } = outcome;
    const apartMs = apartMsOf(outcome);
    const charge = (account: string, ms: number): void => {
      if (account !== '') this.#budgets[scopeOf(tenant)].charge(account, { ms, nowMs: this.#clock() });
    };
    charge(tenant ?? '', apartMs);
    charge(accountOf(evaluation), hadMs - apartMs);
    void collected?.then((ms) => charge(accountOf(evaluation), ms));
  }

  #blame(evaluation: HostEvaluation, reason: Failure): void {
    if (!isStrike(reason)) return;
    const { tenant, module } = evaluation;
    const owner = { tenant, digest: module.digest };
    const strike = { subject: subjectOf(evaluation), atMs: this.#clock() };
    if (!this.#quarantine.strike(owner, strike)) return;
    // Workers keep memory for it, which nobody will ask for.
    this.#forget(module.digest);
    this.#options.metrics.policyQuarantined.set({}, this.#quarantine.size);
    this.#options.onQuarantine?.(owner);
  }

  /** A module or data had to go, or is not asked any more: whoever is asked for it is told anew what it is. */
  #forget(digest: string): void {
    const keys = [...this.#keys.values()].flatMap((all) => [...all]);
    for (const key of keys.filter((one) => one.split(' ').includes(digest))) {
      for (const all of Object.values(this.#returning)) all.add(key);
      this.#forgetInLanes(key);
    }
  }

  /** Nobody names this module with these data any more. */
  #forgetKey(key: string): void {
    for (const all of Object.values(this.#returning)) all.delete(key);
    this.#forgetInLanes(key);
    const [, data = ''] = key.split(' ');
    const isUsed = [...this.#keys.values()].some((all) => [...all].some((one) => one.split(' ')[1] === data));
    if (data !== '' && !isUsed) this.#sources.release(data);
  }

  #forgetInLanes(key: string): void {
    for (const lane of Object.values(this.#lanes)) lane.forget(key);
  }

  /** Names a module with its data and its memory. */
  #keyOf({ module, data, memoryMiB }: Preparation): string {
    return `${module.digest} ${data?.digest ?? ''} ${Math.min(memoryMiB, this.#limits.maxMemoryMiB)}`;
  }

  #job(
    preparation: Preparation,
    {
      source: { compiled, data: bytes },
      ...how
    }: Pick<LaneJob, 'subject' | 'deadlineMs' | 'trial' | 'patienceMs'> & {
      readonly source: Ready;
    },
  ): LaneJob {
    const { module, tenant } = preparation;
    const memoryMiB = Math.min(preparation.memoryMiB, this.#limits.maxMemoryMiB);
    const key = this.#keyOf(preparation);
    const keys = this.#keys.get(module.digest) ?? new Set();
    this.#keys.set(module.digest, keys.add(key));
    const owner = tenant ?? '';
    const source = { compiled, layout: module.layout, memoryMiB, data: bytes, owner };
    return { ...how, source, key };
  }

  /**
   * V8 compiles a function when it is first called; the threads share the result. What an empty input comes to does not matter, if it ends.
   * When the time for this is over, the module is ready as it is: to be quick is worth no more of what others wait for. Only one that took
   * all of it for its first entry point is refused.
   */
  async #warmUp(lane: Lane, job: LaneJob, entrypoints: readonly string[]): Promise<Prepared> {
    const endsAt = performance.now() + this.#limits.warmUpMs;
    for (const [index, entrypoint] of entrypoints.entries()) {
      const leftMs = Math.floor(endsAt - performance.now());
      if (leftMs < 1) break;
      const ask = () => ({ entrypoint, nowNs: 0n, input: new TextEncoder().encode('{}') });
      const outcome = await lane.submit({ ...job, ask, deadlineMs: leftMs });
      if (wasStopped(outcome) && (index === 0 || outcome.reason !== Failure.Timeout))
        return { kind: 'refused', reason: outcome.reason, message: outcome.message };
    }
    return { kind: 'ready' };
  }
}

function workerSettings({
  recycleAfter,
  recycleBytes,
  residentBytes,
  ...limits
}: HostLimits): WorkerSettings {
  const { maxInputBytes, maxResultBytes, maxDepth } = limits;
  return { recycleAfter, recycleBytes, residentBytes, limits: { maxInputBytes, maxResultBytes, maxDepth } };
}

const LARGE_BYTES = 128 * 1024;
const RELOAD_MS_PER_MIB = 60;
const MOST_RELOAD_MS = 250;

/**
 * What it takes to read large data again, which falls to the request that meets a new worker, or an instance made anew. For packs of the
 * platform alone: what a tenant brings gets no time beyond its own.
 */
function reloadMs({ tenant }: HostEvaluation, { data }: Ready): number {
  if (tenant !== undefined || data === undefined || data.length < LARGE_BYTES) return 0;
  return Math.min(Math.ceil((data.length / 1024 / 1024) * RELOAD_MS_PER_MIB), MOST_RELOAD_MS);
}

/** Bytes whose buffer is handed over. Of the caller's, a copy: they may be part of a larger one, which would be copied whole. */
function bytesToGive(input: Input): Uint8Array {
  return typeof input === 'function' ? input() : new Uint8Array(input);
}

function scopeOf(tenant: string | undefined): Scope {
  return tenant === undefined ? 'platform' : 'tenant';
}

/** Who is charged. What a revision takes that is only tried is not taken from whom it is tried on: that is needed for what is active. */
function accountOf(evaluation: HostEvaluation): string {
  const subject = subjectOf(evaluation);
  return evaluation.trial === 'cohort' && subject !== '' ? `the trial of a revision for ${subject}` : subject;
}

/** The platform itself is nobody's subject. */
function subjectOf({ subject, tenant }: HostEvaluation): string {
  return subject ?? tenant ?? '';
}
