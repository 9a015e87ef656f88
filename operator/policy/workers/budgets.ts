// SPDX-License-Identifier: Apache-2.0

/** Time of workers that a subject may take: so much each second, and so much at once after a while without any. */
export interface BudgetRule {
  readonly msPerSecond: number;
  readonly burstMs: number;
}

interface Account {
  leftMs: number;
  atMs: number;
}

/** How many accounts are kept before those that are full again are looked for. */
const SWEEP_AT = 1024;

/** What each subject has left of its time. It is charged afterwards, so that one evaluation may overdraw it. */
export class Budgets {
  readonly #rule: BudgetRule;
  readonly #accounts = new Map<string, Account>();

  constructor(rule: BudgetRule) {
    this.#rule = rule;
  }

  /** How long a subject has to wait until it has time again; zero where it has some. */
  waitMs(subject: string, nowMs: number): number {
    const left = this.#leftMs(this.#accounts.get(subject), nowMs);
    return left > 0 ? 0 : Math.ceil(((1 - left) * 1000) / this.#rule.msPerSecond);
  }

  charge(subject: string, { ms, nowMs }: { readonly ms: number; readonly nowMs: number }): void {
    const leftMs = this.#leftMs(this.#accounts.get(subject), nowMs) - ms;
    this.#accounts.set(subject, { leftMs, atMs: nowMs });
    if (this.#accounts.size > SWEEP_AT) this.#sweep(nowMs);
  }

  #leftMs(account: Account | undefined, nowMs: number): number {
    if (account === undefined) return this.#rule.burstMs;
    const earned = ((nowMs - account.atMs) * this.#rule.msPerSecond) / 1000;
    return Math.min(account.leftMs + earned, this.#rule.burstMs);
  }

  #sweep(nowMs: number): void {
    for (const [subject, account] of this.#accounts) {
      if (this.#leftMs(account, nowMs) >= this.#rule.burstMs) this.#accounts.delete(subject);
    }
  }
}
