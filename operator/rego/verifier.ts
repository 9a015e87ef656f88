// SPDX-License-Identifier: Apache-2.0
import type { PackFault, PackRequest, PackVerifier, Verification } from '../core/policy-pack/verification.ts';
import { type Turn, Turns } from './turns.ts';
import type { Fetched, Outcome } from './verify-pack.ts';

/** What a verifier works with. Whatever it throws is not the fault of a pack. */
export interface VerifierOptions {
  /** Fetches what a pack is made of, where that is elsewhere. The signal ends what nobody wants any more. */
  readonly fetchSource: (request: PackRequest, signal: AbortSignal) => Promise<Fetched>;
  /** Verifies one pack, of what was fetched for it. */
  readonly verify: (request: PackRequest, source: Uint8Array | undefined) => Promise<Outcome>;
  /** Told of each verification. */
  readonly observe?: (outcome: PackFault['reason'] | 'Verified', seconds: number) => void;
  /** Told of what failed for no fault of a pack. */
  readonly onError?: (error: unknown, request: PackRequest) => void;
  /** How long a fault that may pass is believed. Default 30 s. */
  readonly retryMs?: number;
  /** Milliseconds that never go back. Default: those of the process. */
  readonly now?: () => number;
}

const RETRY_MS = 30_000;
/** Outcomes that are remembered: what is verified is large, and stored soon. */
const MAX_FAULTS = 1000;
const MAX_VERIFIED = 8;
/** What is being fetched, or is here and waits: the places bound the memory that sources take, 4 MiB each. */
const FETCHES = {
  platform: { atOnce: 4, perOwner: 4 },
  tenants: { atOnce: 16, perOwner: 1 },
} as const;
/** A compiler may take half of the memory that the process has. */
const VERIFICATIONS = { atOnce: 1, perOwner: 1 } as const;

/** What may be put right where it comes from, and nobody waits for: asked for later and later, up to an hour. */
const LATER: ReadonlySet<PackFault['reason']> = new Set(['DigestMismatch']);
const MAX_LATER_MS = 3_600_000;

interface Known {
  readonly outcome: Outcome;
  readonly atMs: number;
  /** How often the same was found in a row. */
  readonly times: number;
}

/** A pack on its way. */
interface Job extends Turn {
  readonly request: PackRequest;
  /** Ends it where it is not wanted any more. */
  readonly ending: AbortController;
  /** What was fetched for it. */
  source?: Uint8Array;
  fetchMs: number;
  /** Called when it is taken up, or dropped: what was fetched takes a place until then. */
  onTaken?: () => void;
}

/**
 * Verifies packs one at a time, in turn between those whose they are, and remembers what came of it. What has to be fetched is fetched before,
 * many at the same time: a source that is slow keeps nobody waiting but whose it is. Nothing is kept for good: a process that begins
 * anew finds out anew what is not stored by then.
 */
export class Verifier implements PackVerifier {
  readonly #options: VerifierOptions;
  readonly #known = new Map<string, Known>();
  /** By pack: only what it was last asked for is of any use. */
  readonly #jobs = new Map<string, Job>();
  readonly #fetches: { readonly platform: Turns<Job>; readonly tenants: Turns<Job> };
  readonly #verifications: Turns<Job>;
  readonly #tells: ((pack: string) => void)[] = [];
  #isStopped = false;

  constructor(options: VerifierOptions) {
    this.#options = options;
    const carryOut = (job: Job, atRest: () => void) => this.#bring(job, atRest);
    this.#fetches = {
      platform: new Turns(carryOut, FETCHES.platform),
      tenants: new Turns(carryOut, FETCHES.tenants),
    };
    this.#verifications = new Turns((job) => this.#carryOut(job), VERIFICATIONS);
  }

  ask(request: PackRequest): Verification {
    const known = this.#known.get(request.key);
    if (known === undefined || this.#isStale(known)) this.#enqueue(request);
    // What was found out goes on being told until something else is.
    return known === undefined ? { kind: 'pending' } : this.#told(known);
  }

  onDone(tell: (pack: string) => void): void {
    this.#tells.push(tell);
  }

  /** Begins nothing any more. What is being verified ends by itself, and nobody is told. */
  stop(): void {
    this.#isStopped = true;
    this.#verifications.clear();
    for (const job of this.#jobs.values()) this.#drop(job);
  }

  #now(): number {
    return (this.#options.now ?? (() => performance.now()))();
  }

  #isStale(known: Known): boolean {
    return this.#now() >= known.atMs + this.#retryMs(known);
  }

  #retryMs({ outcome, times }: Known): number {
    const { retryMs = RETRY_MS } = this.#options;
    if (outcome.kind !== 'fault') return Infinity;
    if (LATER.has(outcome.fault.reason)) return Math.min(retryMs * 2 ** times, MAX_LATER_MS);
    return outcome.fault.passing ? retryMs : Infinity;
  }

  /** With when to ask again, where nobody else would say. */
  #told(known: Known): Verification {
    const { outcome } = known;
    if (outcome.kind !== 'fault' || !LATER.has(outcome.fault.reason)) return outcome;
    const againMs = Math.max(0, Math.ceil(known.atMs + this.#retryMs(known) - this.#now()));
    return { kind: 'fault', fault: { ...outcome.fault, againMs } };
  }

  #enqueue(request: PackRequest): void {
    const before = this.#jobs.get(request.pack);
    if (this.#isStopped || before?.request.key === request.key) return;
    if (before !== undefined) this.#drop(before);
    const owner = ownerOf(request);
    const job: Job = { owner, name: request.pack, request, ending: new AbortController(), fetchMs: 0 };
    this.#jobs.set(request.pack, job);
    if (request.content.kind === 'files') this.#verifications.put(job);
    else this.#fetchesOf(job).put(job);
  }

  #fetchesOf({ owner }: Job): Turns<Job> {
    return owner === '' ? this.#fetches.platform : this.#fetches.tenants;
  }

  /** Wants a job no more. What is being verified is verified all the same: others may ask for it. */
  #drop(job: Job): void {
    this.#forget(job);
    this.#fetchesOf(job).drop(job);
    this.#verifications.drop(job);
    job.ending.abort();
    job.onTaken?.();
  }

  #forget(job: Job): void {
    if (this.#jobs.get(job.name) === job) this.#jobs.delete(job.name);
  }

  /** Keeps its place until what it fetched is taken up: that is how much may lie about. */
  async #bring(job: Job, atRest: () => void): Promise<void> {
    const found = this.#freshly(job.request) ?? (await this.#fetched(job));
    atRest();
    if (job.ending.signal.aborted) return;
    if (found.kind !== 'ok') {
      this.#settle(job, found);
      return;
    }
    job.source = found.bytes;
    await new Promise<void>((resolve) => {
      job.onTaken = resolve;
      this.#verifications.put(job);
    });
  }

  async #fetched(job: Job): Promise<Fetched> {
    const { request, ending } = job;
    const startedAt = performance.now();
    const { value, hasFailed } = await this.#guarded(request, () =>
      this.#options.fetchSource(request, ending.signal),
    );
    job.fetchMs = performance.now() - startedAt;
    if (value.kind === 'fault' && !hasFailed && !ending.signal.aborted) this.#observe(job, value);
    return value;
  }

  async #carryOut(job: Job): Promise<void> {
    job.onTaken?.();
    // Somebody else's pack may have come to the same meanwhile.
    this.#settle(job, this.#freshly(job.request) ?? (await this.#verified(job)));
  }

  async #verified(job: Job): Promise<Outcome> {
    const { request, source } = job;
    const startedAt = performance.now();
    const { value, hasFailed } = await this.#guarded(request, () => this.#options.verify(request, source));
    delete job.source;
    if (!hasFailed) this.#observe(job, value, performance.now() - startedAt);
    return value;
  }

  /** What is thrown is told to who runs us, and little of it to whose pack it is. */
  async #guarded<T>(request: PackRequest, find: () => Promise<T>) {
    try {
      return { value: await find(), hasFailed: false };
    } catch (error) {
      if (!this.#isStopped) this.#options.onError?.(error, request);
      return { value: { kind: 'fault', fault: faultOf(error) } as const, hasFailed: true };
    }
  }

  #observe({ fetchMs }: Job, outcome: Outcome | Fetched, ms = 0): void {
    const reason = outcome.kind === 'fault' ? outcome.fault.reason : 'Verified';
    this.#options.observe?.(reason, (fetchMs + ms) / 1000);
  }

  #freshly({ key }: PackRequest): Outcome | undefined {
    const known = this.#known.get(key);
    return known === undefined || this.#isStale(known) ? undefined : known.outcome;
  }

  /** Whoever is told may ask for more at once: that waits, since this one is still under way. */
  #settle(job: Job, outcome: Outcome): void {
    const { request } = job;
    try {
      if (this.#isStopped) return;
      this.#remember(request.key, outcome);
      for (const tell of this.#tells) tell(request.pack);
    } catch (error) {
      this.#options.onError?.(error, request);
    } finally {
      this.#forget(job);
    }
  }

  #remember(key: string, outcome: Outcome): void {
    const before = this.#known.get(key);
    this.#known.delete(key);
    const times = before !== undefined && isSameFault(before.outcome, outcome) ? before.times + 1 : 1;
    this.#known.set(key, { outcome, atMs: this.#now(), times });
    const max = outcome.kind === 'verified' ? MAX_VERIFIED : MAX_FAULTS;
    const alike = [...this.#known].filter(([, one]) => one.outcome.kind === outcome.kind);
    for (const [old] of alike.slice(0, Math.max(0, alike.length - max))) this.#known.delete(old);
  }
}

function isSameFault(a: Outcome, b: Outcome): boolean {
  return a.kind === 'fault' && b.kind === 'fault' && a.fault.reason === b.fault.reason;
}

function ownerOf({ place }: PackRequest): string {
  return place.kind === 'tenant' ? place.tenant : '';
}

function faultOf(error: unknown): PackFault {
  const { code, syscall = '' } = error as NodeJS.ErrnoException;
  if (syscall.startsWith('spawn') && code === 'ENOENT') {
    const message = 'the operator has no compiler of Rego: its setting --opa-path names none';
    return { reason: 'CompilerMissing', message, passing: true };
  }
  // In the words of a machine, which may name paths of ours: they are in the log.
  const message = `the source could not be verified${code === undefined ? '' : ` (${code})`}; it is tried again`;
  return { reason: 'VerificationFailed', message, passing: true };
}
