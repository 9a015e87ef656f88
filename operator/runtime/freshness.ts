// SPDX-License-Identifier: Apache-2.0

/** A write of our own that the watch has not told of yet. */
interface Mark {
  readonly version: bigint;
  readonly sentAtMs: number;
}

/** Somebody who wants to know that all is told that was written before he asked. */
interface Asker {
  readonly askedAtMs: number;
  readonly answer: (isTold: boolean) => void;
}

/** More are not waited for: a watch that is so far behind proves nothing soon. */
const MAX_MARKS = 1000;
/** Proofs by which the next one is expected. */
const KNOWN = 4;
/** Where they are further apart, or later, it is quicker to ask the API server. */
const WORTH = { gapMs: 40, lagMs: 150 };
/** So many times as long as it is expected to take is waited. */
const PATIENCE = 3;
/** After one that did not come in time so many others ask at once, and twice as many after the next. */
const ASK_AT_ONCE = { least: 8, most: 64 };

interface Proof {
  readonly atMs: number;
  /** How long it took from the sending of the write until the watch had told of it. */
  readonly lagMs: number;
}

function afterReally(ms: number, does: () => void): () => void {
  const timer = setTimeout(does, ms);
  return () => clearTimeout(timer);
}

/**
 * Whether a watch has told everything. A silent watch proves nothing: it may be cut off. But one that tells of a write of our own has told all that was
 * written before it, and so all that anybody had an answer to when we sent it: versions of one kind are in the order of the writes, and a watch
 * tells them in that order. Where many writes are made, who would ask the API server whether there is anything newer can wait for the next of them
 * instead.
 */
export class Freshness {
  readonly #now: () => number;
  readonly #after: (ms: number, does: () => void) => () => void;
  #marks: Mark[] = [];
  #askers: Asker[] = [];
  #toldVersion = 0n;
  /** The last ones, the oldest first. */
  #proofs: Proof[] = [];
  #askAtOnce = 0;
  #afterNext: number = ASK_AT_ONCE.least;

  /** `now` is a clock in milliseconds that never goes back; `after` does something when so many of them are over, unless what it answers is called. */
  constructor(now = () => performance.now(), after = afterReally) {
    this.#now = now;
    this.#after = after;
  }

  /**
   * A write that was sent then has made this version. Not for one that has changed nothing: the version that it is answered with is an old one,
   * and others may have written since.
   */
  wrote(version: bigint, sentAtMs: number): void {
    if (version <= this.#toldVersion) return this.#prove(sentAtMs);
    if (this.#marks.length >= MAX_MARKS) this.#marks.shift();
    this.#marks.push({ version, sentAtMs });
  }

  /** The watch has told everything up to this version. */
  told(version: bigint): void {
    if (version <= this.#toldVersion) return;
    this.#toldVersion = version;
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
  }

  /**
   * Resolves with true once everything has been told that was written before this was called; with false as soon as that is not
   * likely to be proven in a moment.
   */
  async isProven(): Promise<boolean> {
    const askedAtMs = this.#now();
    const expectedMs = this.#expectedMs(askedAtMs);
    if (expectedMs === undefined) return false;
    if (this.#askAtOnce > 0) {
      this.#askAtOnce -= 1;
      return false;
    }
    const isProven = await this.#wait(askedAtMs, expectedMs * PATIENCE);
    if (isProven) this.#afterNext = ASK_AT_ONCE.least;
    else this.#giveUp();
    return isProven;
  }

  async #wait(askedAtMs: number, patienceMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const asker = { askedAtMs, answer: resolve };
    this.#askers.push(asker);
    const forget = this.#after(patienceMs, () => {
      this.#askers = this.#askers.filter((one) => one !== asker);
      resolve(false);
    });
    const isProven = await promise;
    forget();
    return isProven;
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
    const lagMs = this.#proofs.reduce((sum, one) => sum + one.lagMs, 0) / KNOWN;
    return gapMs <= WORTH.gapMs && lagMs <= WORTH.lagMs ? gapMs + lagMs + 1 : undefined;
  }

  #prove(sentAtMs: number): void {
    const atMs = this.#now();
    this.#proofs.push({ atMs, lagMs: atMs - sentAtMs });
    if (this.#proofs.length > KNOWN) this.#proofs.shift();
    const answered = this.#askers.filter(({ askedAtMs }) => askedAtMs <= sentAtMs);
    if (answered.length === 0) return;
    this.#askers = this.#askers.filter(({ askedAtMs }) => askedAtMs > sentAtMs);
    for (const { answer } of answered) answer(true);
  }
}
