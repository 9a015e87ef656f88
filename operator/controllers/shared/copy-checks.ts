// SPDX-License-Identifier: Apache-2.0

/** How often copies of pull secrets are looked after, on average, in milliseconds. */
export const COPY_CHECK_MS = 300_000;
/** Intervals differ by up to this part, so that tenants do not keep step. */
const JITTER = 0.2;

/** Whether it is time to look, and when the next time is. */
export interface CopyCheck {
  readonly areCopiesDue: boolean;
  /** Milliseconds from now. */
  readonly copiesDueMs: number;
}

/**
 * When to look after the copies of each tenant: nobody may watch Secrets of tenants, and reading each of them in each pass
 * would be many requests. A tenant that is new here waits for a random part of the interval, so that not all are looked
 * after at once when the operator starts.
 */
export class CopyChecks {
  readonly #intervalMs: number;
  readonly #dueAtMs = new Map<string, number>();

  constructor(intervalMs = COPY_CHECK_MS) {
    this.#intervalMs = intervalMs;
  }

  /** Looks at the clock for the tenant of `uid`; who is told that it is time must look. */
  take(uid: string, nowMs: number): CopyCheck {
    const dueAtMs = this.#dueAtMs.get(uid);
    const areCopiesDue = dueAtMs !== undefined && dueAtMs <= nowMs;
    const nextAtMs =
      areCopiesDue || dueAtMs === undefined ? nowMs + this.#delayMs(dueAtMs === undefined) : dueAtMs;
    this.#dueAtMs.set(uid, nextAtMs);
    return { areCopiesDue, copiesDueMs: nextAtMs - nowMs };
  }

  /** The tenant of `uid` has no copies, or goes away. */
  forget(uid: string): CopyCheck {
    this.#dueAtMs.delete(uid);
    return { areCopiesDue: false, copiesDueMs: Infinity };
  }

  #delayMs(isFirst: boolean): number {
    const part = isFirst ? Math.random() : 1 + JITTER * (2 * Math.random() - 1);
    return Math.ceil(this.#intervalMs * part);
  }
}
