// SPDX-License-Identifier: Apache-2.0

/** Exponential backoff: `baseMs`, twice that, and so on up to `maxMs`. */
export interface BackoffPolicy {
  readonly baseMs: number;
  readonly maxMs: number;
  /** 0.2 spreads a delay over ±20 %, so that many who failed together do not come back together. */
  readonly jitter: number;
}

/**
 * Delay in milliseconds before the next try after `failures` failures in a row (1 is the first). `random` is
 * from 0 to 1. The result is never above `maxMs` and never below 0.
 */
export function backoffMs(policy: BackoffPolicy, failures: number, random: number): number {
  // 2^40 steps of a millisecond are 34 years: more would only overflow.
  const doublings = Math.min(Math.max(failures - 1, 0), 40);
  const plain = Math.min(policy.baseMs * 2 ** doublings, policy.maxMs);
  return Math.min(plain * (1 + policy.jitter * (2 * random - 1)), policy.maxMs);
}

/** `ms` spread over ±`jitter` (0.1 is 10 %). */
export function jittered(ms: number, jitter: number, random: number): number {
  return ms * (1 + jitter * (2 * random - 1));
}
