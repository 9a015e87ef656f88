// SPDX-License-Identifier: Apache-2.0
import { RUNS } from '../../core/resources.ts';
import { keyDigest } from '../../core/run/idempotency.ts';
import { isFinished, type Run } from '../../core/run/run.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import type { Reader } from '../../runtime/controller.ts';
import { INDEX, runsWithKeyOf } from './workloads.ts';

/**
 * Runs that are not finished, and finished ones that still hold a reservation, or are known to the ledger as the Run of an
 * idempotency key and not as ended, or have a key that one of the others has too. Those that are not finished are as an index has them: thousands
 * may wait, and only the few others are looked for one by one.
 */
export function runsOf(ledger: Ledger, namespaces: readonly string[], read: Reader): readonly Run[] {
  const live = namespaces.flatMap(
    (value) => read.list(RUNS, { index: INDEX.liveRunsOf, value }) as readonly Run[],
  );
  const shares = new Set(namespaces);
  const isElsewhere = (run: Run) => isFinished(run) || !shares.has(run.metadata.namespace ?? '');
  const ofKeys = firstOfKeys(live).flatMap((run) => runsWithKeyOf(run, read));
  const others = [...namedIn(ledger, read), ...ofKeys].filter(isElsewhere);
  if (others.length === 0) return live;
  return [...live, ...new Map(others.map((run) => [run.metadata.uid, run])).values()];
}

/** Runs that a ledger names, as far as they are there. */
function namedIn({ status }: Ledger, read: Reader): readonly Run[] {
  const { reservations = [], keys = [], trees = [] } = status ?? {};
  const named = [...reservations, ...trees, ...keys.filter((one) => one.until === undefined)];
  return named.flatMap(({ uid, namespace, name }) => {
    const run = read.get(RUNS, { namespace, name }) as Run | undefined;
    return run?.metadata.uid === uid ? [run] : [];
  });
}

/** One Run of each idempotency key. */
function firstOfKeys(runs: readonly Run[]): readonly Run[] {
  const found = new Map<string, Run>();
  for (const run of runs) {
    const key = keyDigest(run);
    if (key !== undefined) found.set(key, run);
  }
  return [...found.values()];
}
