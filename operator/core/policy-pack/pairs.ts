// SPDX-License-Identifier: Apache-2.0
import type { ComparisonShare, PolicyComparison } from '#crds/v1alpha1/policy-rollout';
import { largestShares } from '../policy/comparison-shares.ts';
import { addCounts, type PairBounds, type PairCounts } from './comparison.ts';
import type { Compared } from './harm.ts';
import type { Stand } from './move.ts';

const MAX_EXAMPLES = 5;

type Counted = { readonly [Key in keyof PairCounts]: PairCounts[Key] | undefined };

/** The counts of a comparison; those that it leaves out are zero. */
export function countsOf(comparison: Partial<Counted> | undefined): PairCounts {
  const of = comparison ?? {};
  return {
    bothDenied: of.bothDenied ?? 0,
    bothAllowed: of.bothAllowed ?? 0,
    newlyDenied: of.newlyDenied ?? 0,
    newlyAllowed: of.newlyAllowed ?? 0,
    errors: of.errors ?? 0,
    timeouts: of.timeouts ?? 0,
    slow: of.slow ?? 0,
    protectedDenied: of.protectedDenied ?? 0,
  };
}

/** A comparison as harm is looked for in it. */
export function comparedIn(comparison: PolicyComparison | undefined): Compared {
  const { byTenant = [], tenants = 0 } = comparison ?? {};
  const shares = byTenant.map((share) => ({ tenant: share.tenant, counts: countsOf(share) }));
  return { counts: countsOf(comparison), shares, tenants };
}

/**
 * What all replicas have counted of `candidate` beside what is active, as one; undefined: nothing yet. Those that are not alive count as
 * well: what they saw happened.
 */
export function comparisonOf({ replicas, key, was }: Stand, candidate: string): PolicyComparison | undefined {
  const against = was.activeRevision ?? '';
  const found = replicas
    .flatMap(({ comparisons }) => comparisons)
    .filter((one) => one.pack === key && one.revision === candidate && (one.against ?? '') === against);
  if (found.length === 0) return undefined;
  const examples = found.flatMap((one) => one.examples ?? []).slice(0, MAX_EXAMPLES);
  const tenants = Math.max(...found.map((one) => one.tenants ?? 0));
  const byTenant = largestShares(addShares(found.flatMap((one) => one.byTenant ?? [])));
  return {
    revision: candidate,
    ...(tenants > 0 && { tenants }),
    ...(byTenant.length > 0 && { byTenant }),
    ...(against !== '' && { against }),
    ...addCounts(found.map((one) => countsOf(one))),
    p95Micros: Math.max(...found.map(({ p95Micros = 0 }) => p95Micros)),
    ...(examples.length > 0 && { examples }),
  };
}

/** Of each tenant one, with what all replicas have counted of it. */
function addShares(all: readonly ComparisonShare[]): readonly ComparisonShare[] {
  const tenants = [...new Set(all.map(({ tenant }) => tenant))].toSorted();
  return tenants.map((tenant) => {
    const { protectedDenied: _, ...counts } = addCounts(
      all.filter((one) => one.tenant === tenant).map((one) => countsOf(one)),
    );
    return { tenant, ...counts };
  });
}

/**
 * What a candidate may come to. What somebody has read in the report and wants anyway is no news when it comes: the share of
 * objects that it refuses there comes on top, and where it allows more, it may.
 */
export function boundsOf({ spec, was }: Stand): PairBounds {
  const { maxNewlyDeniedPercent, maxNewlyAllowedPercent, maxErrorPercent, acknowledge } = spec.rollout;
  const { report } = was;
  const known = report !== undefined && acknowledge === report.digest ? report : undefined;
  const denied = known === undefined ? 0 : known.newlyDenied / Math.max(1, known.scanned);
  const allows = known !== undefined && known.newlyAllowed > 0;
  return {
    newlyDenied: Math.min(1, maxNewlyDeniedPercent / 100 + denied),
    newlyAllowed: allows ? 1 : maxNewlyAllowedPercent / 100,
    failed: maxErrorPercent / 100,
  };
}
