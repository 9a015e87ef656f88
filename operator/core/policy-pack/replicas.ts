// SPDX-License-Identifier: Apache-2.0
import type { ReplicaComparison } from '#crds/v1alpha1/policy-rollout';

/** A revision of which something is said, as namespace/name. */
export interface RevisionTrouble {
  readonly revision: string;
  readonly reason: string;
  readonly message?: string | undefined;
}

/** A process that answers the API server, as it tells of itself. Revisions are namespace/name. */
export interface ReplicaView {
  readonly name: string;
  /** Whether its Lease is held: one that is not alive enforces nothing, and nobody waits for it. */
  readonly live: boolean;
  readonly prepared: readonly string[];
  readonly enforcing: readonly string[];
  /** What it cannot load, and why. */
  readonly refused: readonly RevisionTrouble[];
  /** What its host has stopped running. */
  readonly quarantined: readonly RevisionTrouble[];
  readonly comparisons: readonly ReplicaComparison[];
}

/** How far the replicas that are alive are with loading a revision. */
export type Loading =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'loaded' }
  | { readonly kind: 'waiting'; readonly names: readonly string[] }
  | { readonly kind: 'refused'; readonly name: string; readonly trouble: RevisionTrouble };

/** How far `live` are with loading all of `revisions`. What one cannot load is told before what others have not loaded yet. */
export function loadingOf(live: readonly ReplicaView[], revisions: readonly string[]): Loading {
  if (live.length === 0) return { kind: 'nobody' };
  const missing = live.filter(({ prepared }) => revisions.some((one) => !prepared.includes(one)));
  for (const { name, prepared, refused } of missing) {
    const trouble = refused.find(
      ({ revision }) => revisions.includes(revision) && !prepared.includes(revision),
    );
    if (trouble !== undefined) return { kind: 'refused', name, trouble };
  }
  return missing.length === 0
    ? { kind: 'loaded' }
    : { kind: 'waiting', names: missing.map(({ name }) => name) };
}

/** What of `revisions` may be decided by, beside `active`. */
export interface Enforced {
  readonly active: string | undefined;
  readonly also: string | undefined;
  /** All revisions of the pack, those that were undone too. */
  readonly revisions: ReadonlySet<string>;
}

/** Whether a replica decides by what it shall, and by nothing that it shall not any more. */
export function enforces({ enforcing }: ReplicaView, { active, also, revisions }: Enforced): boolean {
  const ofPack = enforcing.filter((one) => revisions.has(one));
  const isClean = ofPack.every((one) => one === active || one === also);
  return isClean && (active === undefined || ofPack.includes(active));
}

/** The first replica that has stopped running `revision`. */
export function quarantineOf(live: readonly ReplicaView[], revision: string): RevisionTrouble | undefined {
  return live.flatMap(({ quarantined }) => quarantined).find((one) => one.revision === revision);
}

/** Up to three names, and how many more there are. */
export function someOf(names: readonly string[]): string {
  const more = names.length - 3;
  return names.slice(0, 3).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
