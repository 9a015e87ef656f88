// SPDX-License-Identifier: Apache-2.0
import { SharedLook } from './shared-look.ts';
import { ToldVersions } from './told-versions.ts';

/** A version that the watch has not told of yet: of a write of our own, or what the API server said that everything is at. */
interface Mark {
  readonly version: bigint;
  readonly sentAtMs: number;
}

/** Somebody who wants to know that all is told that was written before he asked. */
interface Asker {
  readonly askedAtMs: number;
  readonly isTold: Promise<'told'>;
  readonly answer: () => void;
}

/** More are not waited for: a watch that is so far behind proves nothing soon. */
const MAX_MARKS = 1000;
/** Proofs by which the next one is expected. */
const KNOWN = 4;
/** Where they are further apart, or later, it is quicker to ask the API server. */
const WORTH = { gapMs: 40, lagMs: 150 };
/** So many times as long as it is expected to take is waited. */
const PATIENCE = 3;
/** What is told so often is worth a question for all who want to know at once; what it is answered is waited for at least so long, and all together at most. */
const LIVELY = { told: 8, withinMs: 800, leastMs: 100, mostMs: 1000 };
/** After one that did not come in time so many others ask at once, and twice as many after the next. */
const ASK_AT_ONCE = { least: 8, most: 64 };

/** What time it is, how to wait, and whom to ask. */
export interface FreshnessOptions {
  /** A clock in milliseconds that never goes back. */
  readonly now?: () => number;
  /** Does something when so many milliseconds are over, unless what it answers is called. */
  readonly after?: (ms: number, does: () => void) => () => void;
  /** The version that everything of the kind is at, at some instant after this was called. Without, nobody asks for others. */
  readonly look?: () => Promise<bigint>;
  /** Told once that versions went back, as when a backup is restored: what the watch tells cannot be compared with anything until it begins anew. */
  readonly onRewound?: () => void;
}

interface Proof {
  readonly atMs: number;
  /** How long it took from the sending of the write, or of the question, until the watch had told of it. */
  readonly lagMs: number;
}

function answered(isAnswered: boolean): 'answered' | 'unanswered' {
  return isAnswered ? 'answered' : 'unanswered';
}

function afterReally(ms: number, does: () => void): () => void {
  const timer = setTimeout(does, ms);
  return () => clearTimeout(timer);
}

/**
 * Whether a watch has told everything. A silent watch proves nothing: it may be cut off. But one that tells of a write of our own has told all that was
 * written before it, and so all that anybody had an answer to when we sent it: versions of one kind are in the order of the writes, and a watch
 * tells them in that order. Where many writes are made, who would ask the API server whether there is anything newer can wait for the next of them
 * instead. And where several want to know at once, one question for the version of everything serves them all: when the watch has told of that version, or of a
 * later one, whosever write that was, it has told all that was written before the question was put.
 */
export class Freshness {
  readonly #now: () => number;
  readonly #after: (ms: number, does: () => void) => () => void;
  #marks: Mark[] = [];
  #askers: Asker[] = [];
  #toldVersion = 0n;
  /** The last ones, the oldest first. */
  #proofs: Proof[] = [];
  /** When the last things were told, the oldest first. */
  #toldAtMs: number[] = [];
  #askAtOnce = 0;
  #afterNext: number = ASK_AT_ONCE.least;
  readonly #shared: SharedLook | undefined;
  /** When the watch began anew. */
  #begunAtMs = -Infinity;
  readonly #toldVersions = new ToldVersions();
  readonly #onRewound: () => void;
  #isRewound = false;

  constructor(options: FreshnessOptions = {}) {
    const { now = () => performance.now(), after = afterReally, look, onRewound = () => undefined } = options;
    this.#now = now;
    this.#after = after;
    this.#onRewound = onRewound;
    // What is answered to a question from before the watch began anew says nothing of this one.
    const tell = (version: bigint, sentAtMs: number): void => {
      if (sentAtMs > this.#begunAtMs) this.#expect(version, sentAtMs);
    };
    this.#shared =
      look &&
      new SharedLook({ look: () => this.#forward(look), tell, now, after, patienceMs: LIVELY.mostMs });
  }

  /**
   * A write that was sent then has made this version. Not for one that has changed nothing: the version that it is answered with is an old one,
   * and others may have written since. One that is not above what the watch had told of when it was sent was made by an API server whose
   * versions went back: that proves nothing, nor does anything until the watch begins anew.
   */
  wrote(version: bigint, sentAtMs: number): void {
    const known = this.#toldVersions.knownWhenSent(sentAtMs);
    if (known !== undefined && version <= known) return this.#rewind();
    // It went out so long ago that nobody remembers what was known then.
    if (known === undefined && version <= this.#toldVersion) return;
    this.#expect(version, sentAtMs);
  }

  /** All that was written before something was sent then is told as soon as the watch has told everything up to this version. */
  #expect(version: bigint, sentAtMs: number): void {
    if (this.#isRewound) return;
    if (version <= this.#toldVersion) return this.#prove(sentAtMs);
    if (this.#marks.length >= MAX_MARKS) this.#marks.shift();
    this.#marks.push({ version, sentAtMs });
  }

  /** The watch has told everything up to this version. */
  told(version: bigint): void {
    if (version <= this.#toldVersion) return;
    this.#toldVersion = version;
    const nowMs = this.#now();
    this.#toldVersions.note(version, nowMs);
    this.#toldAtMs.push(nowMs);
    if (this.#toldAtMs.length > LIVELY.told) this.#toldAtMs.shift();
    const told = this.#marks.filter((mark) => mark.version <= version);
    if (told.length === 0) return;
    this.#marks = this.#marks.filter((mark) => mark.version > version);
    this.#prove(Math.max(...told.map(({ sentAtMs }) => sentAtMs)));
  }

  /** The watch began anew: what it is to tell, and what it told, cannot be compared. */
  startAnew(version: bigint): void {
    this.#marks = [];
    this.#toldVersion = version;
    this.#proofs = [];
    this.#toldAtMs = [];
    this.#begunAtMs = this.#now();
    this.#toldVersions.begin(version, this.#begunAtMs);
    this.#isRewound = false;
  }

  #rewind(): void {
    this.#marks = [];
    this.#proofs = [];
    this.#toldAtMs = [];
    if (this.#isRewound) return;
    this.#isRewound = true;
    this.#onRewound();
  }

  /**
   * Resolves with true once everything has been told that was written before this was called; with false as soon as that is not
   * likely to be proven in a moment.
   */
  async isProven(): Promise<boolean> {
    const asker = this.#enlist(this.#now());
    try {
      return await this.#prospectOf(asker);
    } finally {
      this.#askers = this.#askers.filter((one) => one !== asker);
    }
  }

  async #prospectOf(asker: Asker): Promise<boolean> {
    const shared = this.#isLively(asker.askedAtMs) ? this.#shared : undefined;
    if (shared === undefined) return this.#wait(asker, this.#patienceMs(asker.askedAtMs));
    const first = await this.#within(LIVELY.mostMs, [asker.isTold, shared.join().then(answered)]);
    if (first === 'told') return true;
    if (first === 'over') return false;
    const patienceMs = first === 'answered' ? this.#afterLookMs() : this.#patienceMs(this.#now());
    const leftMs = Math.max(asker.askedAtMs + LIVELY.mostMs - this.#now(), 0);
    return this.#wait(asker, patienceMs && Math.min(patienceMs, leftMs));
  }

  /** The first of what `happens`, unless `ms` are over before that. */
  async #within<T>(ms: number, happens: readonly Promise<T>[]): Promise<T | 'over'> {
    const { promise: isOver, resolve } = Promise.withResolvers<'over'>();
    const disarm = this.#after(ms, () => resolve('over'));
    const first = await Promise.race([...happens, isOver]);
    disarm();
    return first;
  }

  /** Whether it is proven within `patienceMs`; undefined: that is not likely. */
  async #wait({ isTold }: Asker, patienceMs: number | undefined): Promise<boolean> {
    if (patienceMs === undefined) return false;
    const isProven = (await this.#within(patienceMs, [isTold])) === 'told';
    if (isProven) this.#afterNext = ASK_AT_ONCE.least;
    else this.#giveUp();
    return isProven;
  }

  #enlist(askedAtMs: number): Asker {
    const { promise: isTold, resolve } = Promise.withResolvers<'told'>();
    const asker = { askedAtMs, isTold, answer: () => resolve('told') };
    this.#askers.push(asker);
    return asker;
  }

  /** What is answered, unless the watch had told of more before: versions went back, as when a backup is restored, and cannot be compared with what it told. */
  async #forward(look: () => Promise<bigint>): Promise<bigint> {
    const known = this.#toldVersion;
    const askedAtMs = this.#now();
    const version = await look();
    if (version >= known) return version;
    // Of a watch that began anew meanwhile, it says nothing.
    if (askedAtMs > this.#begunAtMs) this.#rewind();
    throw new Error(`everything is at ${version}, and the watch had told of ${known}`);
  }

  #isLively(nowMs: number): boolean {
    const [oldest] = this.#toldAtMs;
    return oldest !== undefined && this.#toldAtMs.length === LIVELY.told && nowMs - oldest <= LIVELY.withinMs;
  }

  /** How long the watch is waited for, once it is known which version it has to tell of. */
  #afterLookMs(): number {
    const gapMs = (this.#now() - (this.#toldAtMs[0] ?? 0)) / LIVELY.told;
    const wantedMs = (gapMs + this.#lagMs()) * PATIENCE;
    return Math.min(Math.max(wantedMs, LIVELY.leastMs), LIVELY.mostMs);
  }

  /** How long the last proofs took. */
  #lagMs(): number {
    return this.#proofs.reduce((sum, one) => sum + one.lagMs, 0) / Math.max(this.#proofs.length, 1);
  }

  /** How long a write of our own is waited for; undefined where it is quicker to ask at once. */
  #patienceMs(nowMs: number): number | undefined {
    const expectedMs = this.#expectedMs(nowMs);
    if (expectedMs === undefined) return undefined;
    if (this.#askAtOnce === 0) return expectedMs * PATIENCE;
    this.#askAtOnce -= 1;
    return undefined;
  }

  /** In vain: who starts one thing after the other is himself the one whose next write would prove it. */
  #giveUp(): void {
    this.#askAtOnce = this.#afterNext;
    this.#afterNext = Math.min(this.#afterNext * 2, ASK_AT_ONCE.most);
  }

  /** In how many milliseconds a write that is sent from now on will have been told of, if it goes on as it did; undefined where that is too long. */
  #expectedMs(nowMs: number): number | undefined {
    const [oldest] = this.#proofs;
    if (oldest === undefined || this.#proofs.length < KNOWN) return undefined;
    const gapMs = (nowMs - oldest.atMs) / KNOWN;
    const lagMs = this.#lagMs();
    return gapMs <= WORTH.gapMs && lagMs <= WORTH.lagMs ? gapMs + lagMs + 1 : undefined;
  }

  #prove(sentAtMs: number): void {
    const atMs = this.#now();
    this.#proofs.push({ atMs, lagMs: atMs - sentAtMs });
    if (this.#proofs.length > KNOWN) this.#proofs.shift();
    const satisfied = this.#askers.filter(({ askedAtMs }) => askedAtMs <= sentAtMs);
    if (satisfied.length === 0) return;
    this.#askers = this.#askers.filter(({ askedAtMs }) => askedAtMs > sentAtMs);
    for (const { answer } of satisfied) answer();
  }
}
