// SPDX-License-Identifier: Apache-2.0
import { isInCohort } from './cohort.ts';
import { isNamespaceReview, type RequestFacts } from './facts.ts';
import { toldOnce } from './image-input.ts';
import { isBeyondPolicy, matches } from './match.ts';
import type { Review } from './review.ts';
import { packsAbout, type Snapshot, type SnapshotPack, type SnapshotRevision } from './snapshot.ts';

/** Two revisions of a pack that both judge a request, one of them without effect. */
export interface ShadowPair {
  readonly pack: SnapshotPack;
  /** Undefined where it is not about the request, or there is none: it allows. */
  readonly active: SnapshotRevision | undefined;
  readonly candidate: SnapshotRevision | undefined;
}

/** What judges where a candidate gives no answer. */
export interface StandIn {
  /** Undefined where what is active is not about the request: it allows. */
  readonly active: SnapshotRevision | undefined;
}

/** Who is asked about a request. */
export interface Selection {
  /** In their order: the platform's first. */
  readonly deciding: readonly SnapshotRevision[];
  /** Those of them that decide for a cohort only, by their keys; undefined where nothing is active that could judge in their place. */
  readonly standIns: ReadonlyMap<string, StandIn | undefined>;
  readonly shadow: readonly ShadowPair[];
  /** Whether the request is NexusOS' own housekeeping, which nothing may refuse. */
  readonly isProtected: boolean;
}

/** Nobody is asked. */
const NOBODY: Selection = { deciding: [], standIns: new Map(), shadow: [], isProtected: false };

/** What a snapshot knows of the namespace and the tenant that a request is in. The label is one that only the operator sets. */
export function factsOf(snapshot: Snapshot, review: Review, tenantLabel: string): RequestFacts {
  const namespace = snapshot.namespaces.get(review.namespace);
  const name = namespace?.labels[tenantLabel];
  const images = snapshot.images?.(review.namespace);
  const tenant = name === undefined ? undefined : snapshot.tenants.get(name);
  return { namespace, tenant, ...(images !== undefined && { images: toldOnce(images) }) };
}

/** Which revisions decide on a request, and which are compared on it. A pack is asked by one revision, never by two. */
export function select(snapshot: Snapshot, review: Review, facts: RequestFacts): Selection {
  if (isBeyondPolicy(review, snapshot.platformNamespace)) return NOBODY;
  const { group, resource } = review.resource;
  // Nobody else gets a name that begins so: it follows from a token of the platform's own namespace.
  const isOwn = review.userInfo.username.startsWith(`system:serviceaccount:${snapshot.platformNamespace}:`);
  const deciding: SnapshotRevision[] = [];
  const standIns = new Map<string, StandIn | undefined>();
  const shadow: ShadowPair[] = [];
  for (const pack of packsAbout(snapshot, group, resource)) {
    if (!reaches(pack, { review, facts, isOwn })) continue;
    const judge = isDecidedByCandidate(pack, facts) ? pack.candidate : pack.active;
    if (judge !== undefined && isAbout(judge, review, facts)) {
      deciding.push(judge);
      if (judge !== pack.active) standIns.set(judge.key, standInOf(pack, review, facts));
    }
    const pair = pairOf(pack, review, facts);
    if (pair !== undefined) shadow.push(pair);
  }
  return { deciding, standIns, shadow, isProtected: isOwn && !isWorkload(review) };
}

/**
 * Whether a pack reaches a request at all. That of a tenant reaches what is in its own namespaces: not these themselves, and of what
 * NexusOS makes there only pods and what makes pods. It could else keep what holds it in its borders from being written.
 */
function reaches(
  pack: SnapshotPack,
  {
    review,
    facts,
    isOwn,
  }: { readonly review: Review; readonly facts: RequestFacts; readonly isOwn: boolean },
): boolean {
  if (pack.trust === 'Platform') return true;
  if (review.namespace === '' || isNamespaceReview(review)) return false;
  if (pack.tenant === undefined || facts.tenant?.name !== pack.tenant) return false;
  return !isOwn || isWorkload(review);
}

/** What the operator makes for users: pods of Runs, and Deployments of services. Not their deletion. */
function isWorkload({ resource, operation, subResource }: Review): boolean {
  if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
  if (subResource !== '') return false;
  return (
    (resource.group === '' && resource.resource === 'pods') ||
    (resource.group === 'apps' && resource.resource === 'deployments')
  );
}

function isDecidedByCandidate(pack: SnapshotPack, facts: RequestFacts): boolean {
  if (pack.rollout !== 'Cohort' || pack.candidate === undefined) return false;
  const { uid: packUid, percent, critical } = pack;
  return isInCohort(
    { packUid, percent, critical },
    { tenant: facts.tenant?.name, namespace: facts.namespace },
  );
}

function isAbout(revision: SnapshotRevision, review: Review, facts: RequestFacts): boolean {
  const { binding, trust } = revision;
  if (trust === 'Platform') return matches(binding, review, facts);
  // Whom a tenant's pack is about is not for it to say: its own tenant.
  return matches({ ...binding, tenants: undefined, excludedNamespaces: undefined }, review, facts);
}

function standInOf({ active }: SnapshotPack, review: Review, facts: RequestFacts): StandIn | undefined {
  return active && { active: isAbout(active, review, facts) ? active : undefined };
}

function pairOf(pack: SnapshotPack, review: Review, facts: RequestFacts): ShadowPair | undefined {
  if (pack.rollout === 'None' || pack.candidate === undefined) return undefined;
  const candidate = isAbout(pack.candidate, review, facts) ? pack.candidate : undefined;
  const active = pack.active !== undefined && isAbout(pack.active, review, facts) ? pack.active : undefined;
  return candidate === undefined && active === undefined ? undefined : { pack, active, candidate };
}
