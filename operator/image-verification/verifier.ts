// SPDX-License-Identifier: Apache-2.0
import type {
  ImageAnswer,
  ImageFindings,
  ImageQuestion,
  ImageVerifier,
} from '../core/images/verification.ts';
import { refusedFreshMs } from '../core/images/next-proof.ts';
import type { NotKnown } from '../core/supply-chain/judgement.ts';
import type { Outcome } from '../core/supply-chain/verdict.ts';
import { ImageLines } from './image-lines.ts';
import { JudgingEnded } from './judge.ts';
import { allUnknown } from './verify.ts';

/** What a verifier works with. */
export interface VerifierOptions {
  /** Finds out about one image; whatever it throws is not the image's fault. */
  readonly verify: (question: ImageQuestion) => Promise<ImageFindings>;
  /** Told of each verification. */
  readonly observe?: (findings: ImageFindings, seconds: number) => void;
  /** Told of what failed for no fault of an image. */
  readonly onError?: (error: unknown, question: ImageQuestion) => void;
  readonly now: () => Date;
  /** How many images are verified at the same time. */
  readonly atOnce?: number;
}

/** What costs time is mostly registries: as many images as there are questions to them at a time (memory.test.ts). */
export const IMAGES_AT_ONCE = 16;
const IMAGES_PER_TENANT = 4;
/** Of one tenant; more are asked about again when these are done. */
const WAITING_PER_TENANT = 1000;
/** Who finds no place is told when there is one; the clock is for who was told and came too late. */
const NO_PLACE_MS = 60_000;

interface Known {
  readonly key: string;
  readonly findings: ImageFindings;
  /** When the look was over, which may have taken a minute and more: from then on it is waited before the next. */
  readonly endedAt: Date;
  /** How often in a row something could not be told. */
  readonly unknown: number;
  /** How often in a row it was refused, as far as it could be told. */
  readonly refused: number;
}

/** What could not be told is looked at again soon, and then later and later. */
const UNKNOWN_MS = 2000;
const MAX_UNKNOWN_MS = 600_000;

interface Job {
  readonly tenant: string;
  readonly verdict: string;
  readonly isUrgent: boolean;
}

/**
 * Verifies images some at a time, by turns of tenants, and remembers of each verdict what came of it last. Nothing is kept for good: what
 * counts is in the verdicts, and a process that begins anew finds out anew what is not fresh there.
 */
export class ImageVerification implements ImageVerifier {
  readonly #options: VerifierOptions;
  readonly #work: ImageLines<Job>;
  readonly #known = new Map<string, Known>();
  /** What was last asked about a verdict, and waits or is under way: only that is of any use. */
  readonly #wanted = new Map<string, ImageQuestion>();
  readonly #waiting = new Map<string, Job>();
  readonly #tells: ((verdict: string) => void)[] = [];
  #isClosed = false;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#work = new ImageLines((job) => this.#carryOut(job), {
      atOnce: options.atOnce ?? IMAGES_AT_ONCE,
      perTenant: IMAGES_PER_TENANT,
      waitingPerTenant: WAITING_PER_TENANT,
    });
  }

  ask(question: ImageQuestion): ImageAnswer {
    const { verdict, key } = question;
    const known = this.#known.get(verdict);
    const isOfThis = known?.key === key;
    const leftMs = isOfThis ? freshFor(known, question) - this.#ageMs(known) : 0;
    const isTaken = leftMs <= 0 && this.#want(question);
    if (!isOfThis) return isTaken ? { kind: 'pending' } : { kind: 'pending', againMs: NO_PLACE_MS };
    // What was found out goes on being told until something else is. Who asks by the clock meanwhile learns nothing, as often as others have turns;
    // who found no place in the line may find one by then.
    if (isTaken) return { kind: 'known', findings: known.findings, againMs: undefined };
    const againMs = leftMs > 0 ? leftMs : Math.max(freshFor(known, question), NO_PLACE_MS);
    return { kind: 'known', findings: known.findings, againMs };
  }

  forget(verdict: string): void {
    this.#known.delete(verdict);
    this.#wanted.delete(verdict);
    const job = this.#waiting.get(verdict);
    this.#waiting.delete(verdict);
    if (job !== undefined) this.#work.drop(job);
  }

  onDone(tell: (verdict: string) => void): void {
    this.#tells.push(tell);
  }

  /** Lets what is under way end, begins nothing more, and tells nobody. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#work.close();
  }

  /** What is known is as old as its beginning; what is not is asked again so long after somebody tried. */
  #ageMs({ findings, unknown, endedAt }: Known): number {
    const since = unknown === 0 ? findings.checkedAt : endedAt;
    return this.#options.now().getTime() - since.getTime();
  }

  /** Whether it is found out, or waits for that. */
  #want(question: ImageQuestion): boolean {
    const { verdict, tenant, isUrgent = false } = question;
    const waiting = this.#waiting.get(verdict);
    const goesAhead = waiting !== undefined && isUrgent && !waiting.isUrgent;
    const isUnderWay = this.#wanted.has(verdict) && !goesAhead;
    this.#wanted.set(verdict, question);
    if (isUnderWay) return true;
    if (goesAhead) this.#work.drop(waiting);
    const job = { tenant, verdict, isUrgent };
    this.#waiting.set(verdict, job);
    const onRoom = () => this.#tell(verdict);
    if (this.#work.add(job, { key: verdict, onRoom })) return true;
    this.#wanted.delete(verdict);
    this.#waiting.delete(verdict);
    return false;
  }

  /** What is asked anew while it is under way is done anew: the answer to something else is none. */
  async #carryOut({ verdict }: Job): Promise<void> {
    this.#waiting.delete(verdict);
    let question = this.#wanted.get(verdict);
    while (question !== undefined && !this.#isClosed) {
      await this.#verify(question);
      const next = this.#wanted.get(verdict);
      question = next?.key === question.key ? undefined : next;
    }
    this.#wanted.delete(verdict);
    this.#tell(verdict);
  }

  async #verify(question: ImageQuestion): Promise<void> {
    const { verify, observe, onError } = this.#options;
    const startedAt = performance.now();
    try {
      const findings = await verify(question);
      this.#remember(question, findings);
      observe?.(findings, (performance.now() - startedAt) / 1000);
    } catch (error) {
      onError?.(error, question);
      this.#remember(question, allUnknown(question, problemOf(error), this.#options.now()));
    }
  }

  #remember({ verdict, key }: ImageQuestion, findings: ImageFindings): void {
    // Nobody wants it any more.
    if (!this.#wanted.has(verdict)) return;
    const before = this.#known.get(verdict);
    this.#known.set(verdict, {
      key,
      findings,
      endedAt: this.#options.now(),
      ...timesOf(findings, before?.key === key ? before : undefined),
    });
  }

  #tell(verdict: string): void {
    if (this.#isClosed) return;
    for (const tell of this.#tells) tell(verdict);
  }
}

function problemOf(error: unknown): NotKnown {
  if (error instanceof JudgingEnded) {
    const { message, retryAfterMs } = error;
    const told = {
      kind: 'unknown',
      reason: 'JudgingEnded',
      message: `it could not be judged: ${message}`,
    } as const;
    return retryAfterMs === undefined ? told : { ...told, retryAfterMs };
  }
  const message = 'the operator could not ask; it is tried again';
  return { kind: 'unknown', reason: 'EvidenceIncomplete', message };
}

function has(wanted: Outcome, { verdicts }: ImageFindings): boolean {
  return [...verdicts.values()].some(({ outcome }) => outcome === wanted);
}

/** How often in a row it was so, with this. What could not be told meanwhile begins nothing anew. */
function timesOf(findings: ImageFindings, before: Known | undefined): Pick<Known, 'unknown' | 'refused'> {
  const { unknown, refused } = before ?? { unknown: 0, refused: 0 };
  if (has('Unknown', findings)) return { unknown: unknown + 1, refused };
  return { unknown: 0, refused: has('Refused', findings) ? refused + 1 : 0 };
}

/** How long time alone changes nothing of what was found. What is over already is nothing to wait for, and is not asked about without end. */
function holdsFor({ verdicts, checkedAt }: ImageFindings): number {
  const ends = [...verdicts.values()].flatMap(({ validUntil }) =>
    validUntil === undefined ? [] : [Date.parse(validUntil) - checkedAt.getTime()],
  );
  return Math.min(...ends.filter((ms) => ms > 0));
}

/** How long an answer is believed. A registry that says when to come again is believed as well. */
function freshFor(known: Known, { freshMs, triedAt }: ImageQuestion): number {
  if (known.unknown === 0) {
    const isTried = triedAt !== undefined && triedAt > known.findings.checkedAt;
    return Math.min(freshMs, holdsFor(known.findings), refusedFreshMs(known.refused, isTried));
  }
  const waitMs = Math.min(UNKNOWN_MS * 2 ** (known.unknown - 1), MAX_UNKNOWN_MS);
  return Math.max(waitMs, Math.min(known.findings.retryAfterMs ?? 0, MAX_UNKNOWN_MS));
}
