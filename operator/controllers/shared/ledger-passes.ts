// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { wantsQuota } from '../../core/quota/candidates.ts';
import { easedMs, passIntervalMs } from '../../core/quota/pass-interval.ts';
import type { Run } from '../../core/run/run.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import type { LedgerWitness } from './ledger-witness.ts';

interface Pass {
  readonly atMs: number;
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
    this.#byName.set(ledger.metadata.name, { atMs: this.#nowMs(), intervalMs, hasWaiting: true });
  }

  /** That pass has decided on these reservations. */
  decided({ metadata }: Ledger, runs: readonly Run[], reservations: readonly Reservation[]): void {
    const pass = this.#byName.get(metadata.name);
    if (pass === undefined) return;
    const holders = new Set(reservations.map(({ uid }) => uid));
    const hasWaiting = runs.some((run) => wantsQuota(run) && !holders.has(run.metadata.uid ?? ''));
    this.#byName.set(metadata.name, { ...pass, hasWaiting });
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
