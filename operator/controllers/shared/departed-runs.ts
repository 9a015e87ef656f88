// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../../core/object.ts';
import type { Run } from '../../core/run/run.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import type { LedgerWitness } from './ledger-witness.ts';
import { keyOf, type Reader, type Watch } from '../../runtime/controller.ts';
import { RUNS } from '../../core/resources.ts';
import { ledgerOf, reservationIn } from './workloads.ts';

interface Departed {
  readonly run: Run;
  /** UID of the ledger. */
  readonly ledger: string | undefined;
}

/**
 * Runs that were deleted while they held a reservation, as they were seen last, until it is given back: what they used is charged
 * all the same. Nothing of it is kept: what is deleted while no operator looks is not charged.
 */
export class DepartedRuns implements LedgerWitness {
  readonly #byUid = new Map<string, Departed>();

  /** A watch that wakes nobody, and remembers. */
  watch(): Watch {
    return {
      resource: RUNS,
      keys: (run, read) => {
        this.#note(run, read);
        return [];
      },
    };
  }

  /** A Run that is gone; undefined when its end was not seen. */
  find(uid: string): Run | undefined {
    return this.#byUid.get(uid)?.run;
  }

  /** Forgets those whose reservation `ledger` does not hold any more. */
  see(ledger: Ledger): void {
    this.#drop(ledger, (uid) => reservationIn(ledger, uid) === undefined);
  }

  /** Forgets those of a ledger that is gone. */
  forget(ledger: Ledger): void {
    this.#drop(ledger, () => true);
  }

  #drop({ metadata }: Ledger, isOver: (uid: string) => boolean): void {
    for (const [uid, departed] of this.#byUid) {
      if (departed.ledger === metadata.uid && isOver(uid)) this.#byUid.delete(uid);
    }
  }

  #note(run: KubeObject, read: Reader): void {
    const { namespace = '', uid = '' } = run.metadata;
    if (read.get(RUNS, keyOf(run))?.metadata.uid === uid) return;
    const ledger = ledgerOf(read, namespace);
    if (ledger === undefined || reservationIn(ledger, uid) === undefined) return;
    this.#byUid.set(uid, { run: run as Run, ledger: ledger.metadata.uid });
  }
}
