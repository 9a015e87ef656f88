// SPDX-License-Identifier: Apache-2.0
import type { Ledger } from '../tenant/tenant.ts';

const MICROS = 1_000_000;

/** How fast Runs of a tenant may start, and how many at once. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/**
 * Counts starts by the generic cell rate algorithm: all that is kept is one instant, at which the next start is due if
 * they follow each other evenly. One may come early by as much as the burst allows. In no stretch of `s` seconds are
 * there more than `burst + s * perSecond`, whoever counts and however often he is replaced, as long as the instant is
 * written with what was decided by it. Whole microseconds; nothing is rounded to the tenant's favour.
 *
 * Example: 2 a second, burst 3. At 12:00:00.0 three start, and the next one is due at 12:00:01.5; one may be early by one
 * second (two steps of half a second), so the fourth starts at 12:00:00.5.
 */
export class CreateRate {
  readonly limit: RateLimit;
  readonly #nowMicros: number;
  readonly #stepMicros: number;
  #dueMicros: number;

  /** `dueMicros`: as it was left; undefined where nothing was counted yet. */
  constructor(
    limit: RateLimit,
    { dueMicros, now }: { readonly dueMicros: number | undefined; readonly now: Date },
  ) {
    this.limit = limit;
    this.#nowMicros = now.getTime() * 1000;
    this.#stepMicros = Math.ceil(MICROS / limit.perSecond);
    // Never farther ahead than a burst that was just spent: the clock may have been set back, or the limit raised.
    const most = this.#nowMicros + limit.burst * this.#stepMicros;
    this.#dueMicros = Math.min(Math.max(dueMicros ?? 0, this.#nowMicros), most);
  }

  /** When the next start is due, in microseconds since 1970: what has to be kept. */
  get dueMicros(): number {
    return this.#dueMicros;
  }

  /** Whether another Run may start now. */
  get isOpen(): boolean {
    return this.#dueMicros - this.#earlyMicros <= this.#nowMicros;
  }

  /** Counts a start. */
  take(): void {
    this.#dueMicros += this.#stepMicros;
  }

  /** When a Run may start before which `ahead` others are to, in milliseconds since 1970. */
  openMs(ahead: number): number {
    return Math.ceil((this.#dueMicros - this.#earlyMicros + ahead * this.#stepMicros) / 1000);
  }

  get #earlyMicros(): number {
    return (this.limit.burst - 1) * this.#stepMicros;
  }
}

/** The rate at which Runs of a tenant may start, as its ledger has left it; undefined without a limit. */
export function rateOf({ spec, status }: Ledger, now: Date): CreateRate | undefined {
  const { createPerSecond, createBurst = createPerSecond } = spec;
  if (createPerSecond === undefined || createBurst === undefined) return undefined;
  const limit = { perSecond: createPerSecond, burst: createBurst };
  return new CreateRate(limit, { dueMicros: status?.startDueMicros, now });
}
