// SPDX-License-Identifier: Apache-2.0
import type { PackFault, PackRequest, PackVerifier, Verification } from '../core/policy-pack/verification.ts';
import type { Outcome } from './verify-pack.ts';

/** What a verifier works with. */
export interface VerifierOptions {
  /** Verifies one pack; whatever it throws is not the pack's fault. */
  readonly verify: (request: PackRequest) => Promise<Outcome>;
  /** Told of each verification. */
  readonly observe?: (outcome: PackFault['reason'] | 'Verified', seconds: number) => void;
  /** Told of what failed for no fault of a pack. */
  readonly onError?: (error: unknown, request: PackRequest) => void;
  /** How long a fault that may pass is believed. Default 30 s. */
  readonly retryMs?: number;
}

const RETRY_MS = 30_000;
/** Outcomes that are remembered: what is verified is large, and stored soon. */
const MAX_FAULTS = 1000;
const MAX_VERIFIED = 8;

/** What may be put right where it comes from, and nobody waits for: asked for later and later, up to an hour. */
const LATER: ReadonlySet<PackFault['reason']> = new Set(['DigestMismatch']);
const MAX_LATER_MS = 3_600_000;

interface Known {
  readonly outcome: Outcome;
  readonly atMs: number;
  /** How often the same was found in a row. */
  readonly times: number;
}

/**
 * Verifies packs one at a time, in turn between those whose they are, and remembers what came of it. Nothing is kept for good: a process
 * that begins anew finds out anew what is not stored by then.
 */
export class Verifier implements PackVerifier {
  readonly #options: VerifierOptions;
  readonly #known = new Map<string, Known>();
  /** By whose they are, then by pack: only what a pack was last asked for is of any use. */
  readonly #waiting = new Map<string, Map<string, PackRequest>>();
  readonly #tells: ((pack: string) => void)[] = [];
  #current: PackRequest | undefined;
  #isStopped = false;

  constructor(options: VerifierOptions) {
    this.#options = options;
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

  /** Begins nothing any more. What is under way ends by itself, and nobody is told. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting.clear();
  }

  #isStale(known: Known): boolean {
    return performance.now() >= known.atMs + this.#retryMs(known);
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
    const againMs = Math.max(0, Math.ceil(known.atMs + this.#retryMs(known) - performance.now()));
    return { kind: 'fault', fault: { ...outcome.fault, againMs } };
  }

  #enqueue(request: PackRequest): void {
    if (this.#isStopped || (this.#current?.key === request.key && this.#current.pack === request.pack))
      return;
    const owner = ownerOf(request);
    const ofOwner = this.#waiting.get(owner) ?? new Map<string, PackRequest>();
    ofOwner.set(request.pack, request);
    this.#waiting.set(owner, ofOwner);
    void this.#work();
  }

  async #work(): Promise<void> {
    if (this.#current !== undefined) return;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#current = next;
      try {
        await this.#settle(next);
      } catch (error) {
        this.#options.onError?.(error, next);
      } finally {
        this.#current = undefined;
      }
    }
  }

  /** Whoever is told may ask for more at once: that waits, since this one is still under way. */
  async #settle(request: PackRequest): Promise<void> {
    const outcome = await this.#verify(request);
    if (this.#isStopped) return;
    this.#remember(request.key, outcome);
    for (const tell of this.#tells) tell(request.pack);
  }

  /** Whoever was served goes to the end. */
  #next(): PackRequest | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [owner, ofOwner] = first;
    this.#waiting.delete(owner);
    const [request] = ofOwner.values();
    if (request === undefined) return undefined;
    ofOwner.delete(request.pack);
    if (ofOwner.size > 0) this.#waiting.set(owner, ofOwner);
    return request;
  }

  async #verify(request: PackRequest): Promise<Outcome> {
    const { verify, observe, onError } = this.#options;
    const known = this.#known.get(request.key);
    // Somebody else's pack may have come to the same meanwhile.
    if (known !== undefined && !this.#isStale(known)) return known.outcome;
    const startedAt = performance.now();
    let hasFailed = false;
    const outcome = await verify(request).catch((error: unknown): Outcome => {
      onError?.(error, request);
      hasFailed = true;
      return { kind: 'fault', fault: faultOf(error) };
    });
    if (hasFailed) return outcome;
    const reason = outcome.kind === 'verified' ? 'Verified' : outcome.fault.reason;
    observe?.(reason, (performance.now() - startedAt) / 1000);
    return outcome;
  }

  #remember(key: string, outcome: Outcome): void {
    const before = this.#known.get(key);
    this.#known.delete(key);
    const times = before !== undefined && isSameFault(before.outcome, outcome) ? before.times + 1 : 1;
    this.#known.set(key, { outcome, atMs: performance.now(), times });
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
