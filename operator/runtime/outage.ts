// SPDX-License-Identifier: Apache-2.0

/** Without success for so long, and with failures since, the API server was away; before that, everybody's own backoff is short. */
const AWAY_MS = 3000;

/**
 * What all requests of a client together tell of the API server: when one succeeds after a time in which none did, it is back, and
 * who waits out a backoff of his own need not any more. One kind that fails while others are served is no outage.
 */
export class Outage {
  readonly #waiting = new Set<() => void>();
  #succeededMs: number;
  #hasFailed = false;

  /** All times are of one clock that only goes forward, in milliseconds. */
  constructor(nowMs: number) {
    this.#succeededMs = nowMs;
  }

  /** Has `wake` called, once, when the API server is back after being away. Returns what takes that back. */
  onceOver(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => this.#waiting.delete(wake);
  }

  /** A request got no answer, or one that tells of a server in trouble. */
  failed(): void {
    this.#hasFailed = true;
  }

  /** A request was served. */
  succeeded(nowMs: number): void {
    const wasAway = this.#hasFailed && nowMs - this.#succeededMs >= AWAY_MS;
    this.#succeededMs = nowMs;
    this.#hasFailed = false;
    if (!wasAway) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}
