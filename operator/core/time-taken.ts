// SPDX-License-Identifier: Apache-2.0

/** Time that somebody took counts half after so long. */
const HALF_LIFE_MS = 300_000;
/** Owners that anything is remembered of. */
const MAX_OWNERS = 5000;

interface Taken {
  readonly ms: number;
  readonly atMs: number;
}

/** How much time of something that all share who took lately: five minutes ago counts half, ten a quarter. */
export class TimeTaken {
  readonly #taken = new Map<string, Taken>();

  /** What somebody took, in milliseconds, as it counts at `nowMs`. */
  by(owner: string, nowMs: number): number {
    const taken = this.#taken.get(owner);
    return taken === undefined ? 0 : taken.ms * 2 ** ((taken.atMs - nowMs) / HALF_LIFE_MS);
  }

  /** Adds what somebody took until `nowMs`. */
  add(owner: string, ms: number, nowMs: number): void {
    const all = this.by(owner, nowMs) + ms;
    this.#taken.delete(owner);
    this.#taken.set(owner, { ms: all, atMs: nowMs });
    const [oldest] = this.#taken.keys();
    if (this.#taken.size > MAX_OWNERS && oldest !== undefined) this.#taken.delete(oldest);
  }
}
