// SPDX-License-Identifier: Apache-2.0
import type { LedgerObserved } from '../ledger.ts';

/** Surroundings of a ledger in which there is nothing. */
export const NOTHING_OF_LEDGER: LedgerObserved = {
  quotas: new Map(),
  taken: new Set(),
  closed: new Set(),
  forged: new Set(),
  leftovers: new Map(),
  runs: [],
  vanished: new Map(),
  started: new Set(),
  ownObjects: new Map(),
  refusals: [],
  agents: new Map(),
  gpuClasses: new Map(),
  containerDefaults: undefined,
};
