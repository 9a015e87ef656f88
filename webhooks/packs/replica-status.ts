// SPDX-License-Identifier: Apache-2.0
import { MAX_LOADED_REVISIONS, type PolicyReplicaStatus } from '#crds/v1alpha1/policy-replica';
import type { ReplicaComparison } from '#crds/v1alpha1/policy-rollout';
import { fairly } from '#operator/core/policy/fairly';
import type { Snapshot } from '#operator/core/policy/snapshot';
import type { WantedImage } from '../images/wanted-images.ts';
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
  /** Images that were asked for, and of which nothing is known, or that were refused; in order. */
  readonly images?: readonly WantedImage[];
}

/** The most entries of its other lists that the status takes. */
const MAX_ENTRIES = 64;
const MAX_MESSAGE = 512;
const MAX_REASON = 128;

/** What a replica tells: the same facts always come to the same status, so that it is only written when there is something new. */
export function replicaStatus(facts: ReplicaFacts): Omit<PolicyReplicaStatus, 'renewedAt'> {
  const { platformNamespace } = facts.snapshot;
  const { snapshot, prepared, refused, quarantined, violations, comparisons, images = [] } = facts;
  return {
    snapshotDigest: snapshot.digest,
    prepared: names(sorted(prepared), platformNamespace),
    enforcing: names(enforcingOf(snapshot), platformNamespace),
    refused: cut(refused.toSorted(byRevision), platformNamespace).map(({ revision, reason, message }) => ({
      revision,
      reason: reason.slice(0, MAX_REASON),
      message: message.slice(0, MAX_MESSAGE),
    })),
    quarantined: cut(
      sorted(quarantined).map((revision) => ({ revision, reason: 'Quarantined' })),
      platformNamespace,
    ),
    violations: cut(violations.toSorted(byRevision), platformNamespace),
    comparisons: fairly(
      comparisons.toSorted((a, b) => (a.pack < b.pack ? -1 : 1)),
      { groupOf: ({ pack }) => namespaceOf(pack), first: platformNamespace, most: MAX_ENTRIES },
    ),
    // As a list that is empty, too: what is left out of a patch stays as it was.
    images: images.map((one) => ({ ...one })),
  };
}

function namespaceOf(key: string): string {
  return key.split('/', 1)[0] ?? '';
}

function cut<T extends { readonly revision: string }>(list: readonly T[], first: string): T[] {
  return fairly(list, { groupOf: ({ revision }) => namespaceOf(revision), first, most: MAX_ENTRIES });
}

function names(list: readonly string[], first: string): string[] {
  return fairly(list, { groupOf: namespaceOf, first, most: MAX_LOADED_REVISIONS });
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
