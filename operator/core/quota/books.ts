// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import type { MeteredAttempt } from '#crds/v1alpha1/run-usage';
import type { UsageHistory } from '#crds/v1alpha1/usage-history';
import { bookAttempts } from '../metering/history.ts';
import { numberedOn, type SeenRecord, withoutRecorded, withPresent } from '../metering/usage-record.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { type GivenBack, settleRecords } from '../tree/records.ts';
import { TreeBook } from '../tree/tree-book.ts';
import { BudgetBook } from './budgets.ts';
import type { LedgerObserved } from './ledger.ts';

/** What has been used, and what is left of it for those who come. */
export interface Books {
  /** With the attempts whose reservations are given back. */
  readonly usage: UsageHistory | undefined;
  readonly budgets: BudgetBook;
  readonly trees: TreeBook;
}

/** What the books of a ledger are opened with. */
export interface BooksInput {
  readonly held: readonly Reservation[];
  /** Attempts whose reservations are given back. */
  readonly ended: readonly GivenBack[];
  readonly observed: LedgerObserved;
}

/** Opens the books of a ledger. What is used is the same in all of them: an attempt that ends is counted in each at once. */
export function openBooks(ledger: Ledger, { held, ended, observed }: BooksInput, now: Date): Books {
  const { runs } = observed;
  const { status } = ledger;
  const attempts = ended.map(({ attempt }) => attempt);
  const usage = usageOf(ledger, { attempts, seen: observed.record }, now);
  const records = settleRecords({ before: status?.trees ?? [], held, ended, runs });
  const input = { ledger, runs, context: observed, now };
  const counted = withPresent(usage, observed.record, now);
  const budgets = new BudgetBook({ ...input, usage: counted, held, trees: records });
  return { usage, budgets, trees: new TreeBook({ ...input, held: budgets.held, records }) };
}

/** What has been used, as it is written: nothing changes by what was seen of the record alone, unless that has windows. */
function usageOf(
  ledger: Ledger,
  { attempts, seen }: { readonly attempts: readonly MeteredAttempt[]; readonly seen: SeenRecord | undefined },
  now: Date,
): UsageHistory | undefined {
  const usage = withoutRecorded(ledger, seen);
  return attempts.length === 0 ? usage : bookAttempts(numberedOn(usage, ledger, seen), attempts, now);
}
