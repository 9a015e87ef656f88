// SPDX-License-Identifier: Apache-2.0
import type { Ledger } from '../../core/tenant/tenant.ts';
import { keyOf, type Watch } from '../../runtime/controller.ts';
import { QUOTA_LEDGERS } from '../../core/resources.ts';

/** Who remembers something of ledgers from one pass to the next. */
export interface LedgerWitness {
  /** Is shown a ledger as it is when a pass over it begins. */
  see(ledger: Ledger): void;
  /** Is told that a ledger is gone, or is another one by the same name now. */
  forget(ledger: Ledger): void;
}

/** A watch that wakes nobody: what is remembered of a ledger goes with it. */
export function watchGone(witnesses: readonly LedgerWitness[]): Watch {
  return {
    resource: QUOTA_LEDGERS,
    keys: (ledger, read) => {
      if (read.get(QUOTA_LEDGERS, keyOf(ledger))?.metadata.uid !== ledger.metadata.uid)
        for (const witness of witnesses) witness.forget(ledger as Ledger);
      return [];
    },
  };
}
