// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { eachInPieces, type Pieces } from '../pieces.ts';
import type { Run } from '../run/run.ts';
import type { Ledger } from '../tenant/tenant.ts';
import type { TreeBook } from '../tree/tree-book.ts';
import type { Candidate } from './admit.ts';
import type { BudgetBook } from './budgets.ts';
import { candidateOf, wantsQuota } from './candidates.ts';
import type { KeyBook } from './keys.ts';
import type { LedgerObserved } from './ledger.ts';
import { inSessionOrder } from './sessions.ts';
import { sharing } from './stock.ts';

/** What tells who asks for quota, and for how much. */
export interface AskersInput {
  readonly ledger: Ledger;
  readonly observed: LedgerObserved;
  readonly held: readonly Reservation[];
  /** By uid, whose they are. */
  readonly holders: ReadonlySet<string>;
  readonly keys: KeyBook;
  readonly budgets: BudgetBook;
  readonly trees: TreeBook;
}

/** The Runs of a tenant that want quota and hold none, in no order. */
export function* askersIn(input: AskersInput): Pieces<readonly Candidate[]> {
  const { ledger, observed, held, holders, keys, budgets, trees } = input;
  const shares = sharing(ledger, observed);
  const isAsking = (run: Run): boolean =>
    wantsQuota(run) && !holders.has(run.metadata.uid ?? '') && shares.has(run.metadata.namespace ?? '');
  const found = yield* eachInPieces(observed.runs, (run) => {
    if (!isAsking(run) || keys.isTaken(run)) return undefined;
    return trees.withCall(budgets.withEstimate(keys.withKey(candidateOf(run, observed), run), run), run);
  });
  const candidates = found.filter((one) => one !== undefined);
  return inSessionOrder({ held, candidates, agents: observed.agents });
}
