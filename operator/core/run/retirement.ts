// SPDX-License-Identifier: Apache-2.0
import { type Removal, retirementOf } from '../plan.ts';
import { isFinished, type Run } from './run.ts';

/** What is asked of Runs that are to go. */
export interface Kinship {
  /** Those that a Run owns, which Kubernetes deletes with it. */
  childrenOf(run: Run): readonly Run[];
  /** Whether the last attempt of a Run has still to be counted. */
  isHeld(run: Run): boolean;
  /** Whether the archive will not have a Run, so that it stays. */
  isRefused(run: Run): boolean;
}

/** That of Runs which stand alone. */
export const NO_KIN: Kinship = { childrenOf: () => [], isHeld: () => false, isRefused: () => false };

/** What becomes of Runs that are to go. */
export interface Retirement {
  /** Those that go now, with a record of each. */
  readonly remove: readonly Removal[];
  /** Whether one of them waits for what nobody tells of: that an attempt ends, or is counted. */
  readonly waits: boolean;
}

/**
 * Has `runs` go, and all that they own before them: what an owner takes with it, the garbage collector deletes, and nobody puts it on
 * record. So a Run goes when nothing is below it any more, and one below which something stays, since the archive will not have it, stays as well.
 */
export function retire(runs: readonly Run[], kin: Kinship): Retirement {
  const going: Run[] = [];
  const known = new Map<string, boolean>();
  let waits = false;
  /** Whether it is still in the way of its owner. */
  const visit = (run: Run): boolean => {
    const { uid = '', deletionTimestamp } = run.metadata;
    const before = known.get(uid);
    if (before !== undefined) return before;
    known.set(uid, true);
    const blockers = kin.childrenOf(run).filter((one) => visit(one));
    const isLeaf = blockers.length === 0;
    // Somebody has deleted it, with a record or without.
    if (isLeaf && deletionTimestamp !== undefined) known.set(uid, false);
    else if (!isFinished(run) || kin.isHeld(run)) waits = true;
    else if (isLeaf && !kin.isRefused(run)) going.push(run);
    return known.get(uid) === true;
  };
  for (const run of runs) visit(run);
  return { remove: going.map(retirementOf), waits };
}
