// SPDX-License-Identifier: Apache-2.0
import type { PolicyReplicaStatus } from '#crds/v1alpha1/policy-replica';
import type { ReplicaComparison } from '#crds/v1alpha1/policy-rollout';
import type { Snapshot } from '#operator/core/policy/snapshot';
import type { RevisionFault } from './modules.ts';

/** What a replica knows of itself. */
export interface ReplicaFacts {
  readonly snapshot: Snapshot;
  readonly prepared: readonly string[];
  readonly refused: readonly RevisionFault[];
  readonly quarantined: readonly string[];
  readonly violations: readonly {
    readonly revision: string;
    readonly reason: string;
    readonly count: number;
  }[];
  readonly comparisons: readonly ReplicaComparison[];
}

/** The most entries of a list that the status takes. */
const MAX_REVISIONS = 1024;
const MAX_ENTRIES = 64;
const MAX_MESSAGE = 512;
const MAX_REASON = 128;

/** What a replica tells: the same facts always come to the same status, so that it is only written when there is something new. */
export function replicaStatus(facts: ReplicaFacts): Omit<PolicyReplicaStatus, 'renewedAt'> {
  const { snapshot, prepared, refused, quarantined, violations, comparisons } = facts;
  return {
    snapshotDigest: snapshot.digest,
    prepared: sorted(prepared).slice(0, MAX_REVISIONS),
    enforcing: enforcingOf(snapshot).slice(0, MAX_REVISIONS),
    refused: refused
      .toSorted(byRevision)
      .slice(0, MAX_ENTRIES)
      .map(({ revision, reason, message }) => ({
        revision,
        reason: reason.slice(0, MAX_REASON),
        message: message.slice(0, MAX_MESSAGE),
      })),
    quarantined: sorted(quarantined)
      .slice(0, MAX_ENTRIES)
      .map((revision) => ({ revision, reason: 'Quarantined' })),
    violations: violations.toSorted(byRevision).slice(0, MAX_ENTRIES),
    comparisons: comparisons.toSorted((a, b) => (a.pack < b.pack ? -1 : 1)).slice(0, MAX_ENTRIES),
  };
}

/** What somebody may be judged by: the active revision of each pack, and in a cohort the new one as well. */
function enforcingOf({ packs }: Snapshot): readonly string[] {
  const keys = packs.flatMap(({ active, candidate, rollout }) => [
    ...(active?.isLoaded === true ? [active.key] : []),
    ...(rollout === 'Cohort' && candidate !== undefined ? [candidate.key] : []),
  ]);
  return sorted(keys);
}

function sorted(list: readonly string[]): readonly string[] {
  return [...new Set(list)].toSorted();
}

function byRevision(a: { readonly revision: string }, b: { readonly revision: string }): number {
  return a.revision < b.revision ? -1 : 1;
}
