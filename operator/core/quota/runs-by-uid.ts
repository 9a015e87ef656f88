// SPDX-License-Identifier: Apache-2.0
import type { Run } from '../run/run.ts';

const known = new WeakMap<readonly Run[], ReadonlyMap<string, Run>>();

/** The Runs of a pass by uid, worked out once for all who look for one. */
export function runsByUid(runs: readonly Run[]): ReadonlyMap<string, Run> {
  let byUid = known.get(runs);
  if (byUid === undefined) {
    byUid = new Map(runs.map((run) => [run.metadata.uid ?? '', run]));
    known.set(runs, byUid);
  }
  return byUid;
}
