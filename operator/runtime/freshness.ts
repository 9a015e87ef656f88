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
/** After so many proofs within so long the next one is worth waiting for. */
const LIVELY = { proofs: 4, withinMs: 100 };
/** Longer is not waited: to ask the API server takes some milliseconds. */
const PATIENCE_MS = 60;

/**
 * Whether a watch has told everything. A silent watch proves nothing: it may be cut off. But one that tells of a write of our own has told all that was
 * written before it, and so all that anybody had an answer to when we sent it: versions of one kind are in the order of the writes, and a watch
 * tells them in that order. Where many writes are made, who would ask the API server whether there is anything newer can wait for the next of them
 * instead.
 */
export class Freshness {
  readonly #now: () => number;
  readonly #patienceMs: number;
  #marks: Mark[] = [];
  #askers: Asker[] = [];
  #toldVersion = 0n;
  /** When the last ones were proven, the oldest first. */
  #proofs: number[] = [];

  /** `now` is a clock in milliseconds that never goes back. */
  constructor(now: () => number = () => performance.now(), patienceMs = PATIENCE_MS) {
    this.#now = now;
    this.#patienceMs = patienceMs;
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
    const [oldest = -Infinity] = this.#proofs;
    if (this.#proofs.length < LIVELY.proofs || askedAtMs - oldest > LIVELY.withinMs) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const asker = { askedAtMs, answer: resolve };
    this.#askers.push(asker);
    const timer = setTimeout(() => {
      this.#askers = this.#askers.filter((one) => one !== asker);
      resolve(false);
    }, this.#patienceMs);
    const isProven = await promise;
    clearTimeout(timer);
    return isProven;
  }

  #prove(sentAtMs: number): void {
    this.#proofs.push(this.#now());
    if (this.#proofs.length > LIVELY.proofs) this.#proofs.shift();
    const answered = this.#askers.filter(({ askedAtMs }) => askedAtMs <= sentAtMs);
    if (answered.length === 0) return;
    this.#askers = this.#askers.filter(({ askedAtMs }) => askedAtMs > sentAtMs);
    for (const { answer } of answered) answer(true);
  }
}
