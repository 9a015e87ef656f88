// SPDX-License-Identifier: Apache-2.0
import type { QuotaLedgerStatus } from '#crds/v1alpha1/quota-ledger';
import { isDeepEqual } from '../../core/compare.ts';
import { wantsQuota } from '../../core/quota/candidates.ts';
import { easedMs, LEAST_MS, passIntervalMs } from '../../core/quota/pass-interval.ts';
import type { Run } from '../../core/run/run.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import type { LedgerWitness } from './ledger-witness.ts';

/** To look at more is worth a rest, also where nothing comes of it: Runs that want nothing may be made by the hundred. */
const FEW_RUNS = 20;

interface Pass {
  /** Since when it rests. */
  readonly atMs: number;
  /** The same of the pass before. */
  readonly beforeMs: number;
  readonly intervalMs: number;
  readonly hasWaiting: boolean;
}

/** The last pass over each ledger: when the next one may be, and whether it left somebody waiting. Nothing of it is kept. */
export class LedgerPasses implements LedgerWitness {
  readonly #byName = new Map<string, Pass>();
  readonly #nowMs: () => number;

  /** `nowMs`: a clock that never goes back. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** A pass over `ledger` begins, in which these Runs are looked at. */
  begin(ledger: Ledger, runs: readonly Run[]): void {
    const intervalMs = passIntervalMs(ledger, runs.length);
    const { name } = ledger.metadata;
    const beforeMs = this.#byName.get(name)?.atMs ?? -Infinity;
    this.#byName.set(name, { atMs: this.#nowMs(), beforeMs, intervalMs, hasWaiting: true });
  }

  /**
   * That pass has decided that `ledger` is to say `status`. Where it says so already and nobody waits, as when it only looks at what was written before, a
   * small one rests no longer for that: who comes next would wait for a rest that spares nothing.
   */
  decided(ledger: Ledger, runs: readonly Run[], status: QuotaLedgerStatus): void {
    const { name } = ledger.metadata;
    const pass = this.#byName.get(name);
    if (pass === undefined) return;
    const holders = new Set((status.reservations ?? []).map(({ uid }) => uid));
    const hasWaiting = runs.some((run) => wantsQuota(run) && !holders.has(run.metadata.uid ?? ''));
    const isSmall = pass.intervalMs <= LEAST_MS && runs.length <= FEW_RUNS;
    const isIdle = !hasWaiting && isSmall && isDeepEqual(ledger.status, status);
    this.#byName.set(name, { ...pass, hasWaiting, ...(isIdle && { atMs: pass.beforeMs }) });
  }

  /** How long the ledger of that name still rests, in milliseconds. */
  restMs(name: string): number {
    const pass = this.#byName.get(name);
    if (pass === undefined) return 0;
    const intervalMs = pass.hasWaiting ? pass.intervalMs : easedMs(pass.intervalMs);
    return intervalMs - (this.#nowMs() - pass.atMs);
  }

  /** Whether somebody waits for what the ledger has to give, as far as is known. */
  hasWaiting(name: string): boolean {
    return this.#byName.get(name)?.hasWaiting ?? true;
  }

  /** Nothing: what counts is told by the passes themselves. */
  see(): void {}

  /** Forgets a ledger that is gone. */
  forget({ metadata }: Ledger): void {
    this.#byName.delete(metadata.name);
  }
}
