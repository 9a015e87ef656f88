// SPDX-License-Identifier: Apache-2.0

/** One bucket per name: `burst` at once, then `perSecond`. */
export interface TokenBucketOptions {
  readonly burst: number;
  readonly perSecond: number;
  /** Names remembered; the longest unused is forgotten first, and starts full again. */
  readonly maxBuckets: number;
}

/** Rate limits by name, in bounded memory. */
export class TokenBuckets {
  readonly #options: TokenBucketOptions;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(options: TokenBucketOptions) {
    this.#options = options;
  }

  /** Takes a token of `name` at `nowMs`; false when there is none. */
  take(name: string, nowMs: number): boolean {
    const { burst, perSecond, maxBuckets } = this.#options;
    const before = this.#buckets.get(name) ?? { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, before.tokens + ((nowMs - before.atMs) / 1000) * perSecond);
    const isGranted = tokens >= 1;
    this.#buckets.delete(name);
    this.#buckets.set(name, { tokens: isGranted ? tokens - 1 : tokens, atMs: nowMs });
    if (this.#buckets.size > maxBuckets) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return isGranted;
  }
}
