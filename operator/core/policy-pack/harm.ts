// SPDX-License-Identifier: Apache-2.0
import { faultsOf, type PairBounds, type PairCounts, type PairFault, withoutCounts } from './comparison.ts';

/** What replicas have counted of a candidate. */
export interface Compared {
  readonly counts: PairCounts;
  /** Of the tenants that have most to do with what differs, what of the counts is theirs. */
  readonly shares: readonly { readonly tenant: string; readonly counts: PairCounts }[];
  /** How many tenants the pack is about. */
  readonly tenants: number;
}

/** A fault that is shown; `oneTenant` where it would not be without the requests of one tenant. */
export type Harm =
  | { readonly kind: 'shown'; readonly fault: PairFault }
  | { readonly kind: 'oneTenant'; readonly fault: PairFault; readonly tenant: string };

/**
 * What a candidate is to be undone for, or held. What it does to a tenant follows from what that tenant asks for: with inputs of its choice it
 * could have every rule undone that it does not like. So a fault has to be shown without the requests of any single tenant as well, unless
 * there is one alone. Whatever one tenant does, what is left without it is a test of its own, which is wrong with `FALSE_ALARM` at most.
 */
export function harmShown({ counts, shares, tenants }: Compared, bounds: PairBounds): Harm | undefined {
  const faults = faultsOf(counts, bounds);
  const alone = (fault: PairFault) =>
    tenants <= 1 || fault.kind === 'ProtectedDenied'
      ? undefined
      : shares.find((share) => !isShown(fault, withoutCounts(counts, share.counts), bounds));
  const shown = faults.find((fault) => alone(fault) === undefined);
  if (shown !== undefined) return { kind: 'shown', fault: shown };
  const [fault] = faults;
  const share = fault && alone(fault);
  return fault && share && { kind: 'oneTenant', fault, tenant: share.tenant };
}

function isShown({ kind }: PairFault, counts: PairCounts, bounds: PairBounds): boolean {
  return faultsOf(counts, bounds).some((one) => one.kind === kind);
}
