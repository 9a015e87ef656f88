// SPDX-License-Identifier: Apache-2.0
import { type ComparisonShare, MAX_SHARES } from '#crds/v1alpha1/policy-rollout';

/** The shares that have most to do with what differs; those that have nothing to do with it are left out. */
export function largestShares(shares: readonly ComparisonShare[]): ComparisonShare[] {
  return shares
    .filter((share) => harmOf(share) > 0)
    .toSorted((a, b) => harmOf(b) - harmOf(a) || (a.tenant < b.tenant ? -1 : 1))
    .slice(0, MAX_SHARES);
}

function harmOf(share: ComparisonShare): number {
  const { newlyDenied = 0, newlyAllowed = 0, errors = 0, timeouts = 0, slow = 0 } = share;
  return newlyDenied + newlyAllowed + errors + timeouts + slow;
}
