// SPDX-License-Identifier: Apache-2.0
import { POLICY_PACK_REASONS, type PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import {
  type ConditionInput,
  findCondition,
  setConditions,
  setStanding,
  type Standing,
} from '../conditions.ts';
import type { ReconcileError, RefusedError } from '../errors.ts';
import { defined, type Resource } from '../object.ts';
import { DONE, type Plan, type Removal, type Result, statusOnly } from '../plan.ts';
import { numberFault, storageFault, type TenantHoldings } from './allowance.ts';
import { floorStanding, type FloorsSeen } from '../policy-floor/standing.ts';
import { inventoryFault } from '../policy/inventory.ts';
import type { ArtifactTrust } from './artifact-trust.ts';
import { newestFirst } from './no-revision.ts';
import type { PackPlace, PolicyPack } from './pack.ts';
import type { ReplicaView } from './replicas.ts';
import {
  allChunksOf,
  isWhole,
  type Kept,
  leftoversOf,
  objectsOf,
  type RevisionName,
  strangersTo,
  surplusOf,
} from './revision.ts';
import { nextStage, type StageFacts } from './stage.ts';
import type { PackFault, Verification, VerifiedPack } from './verification.ts';

const {
  Verified,
  Verifying,
  Suspended,
  NotBound,
  BindingNotAllowed,
  InventoryNotAllowed,
  RevisionPending,
  RevisionRefused,
} = POLICY_PACK_REASONS;
const VERIFIED = 'Verified';

/** How soon what may pass by itself is looked at again. */
const PASSING_MS = 30_000;

/** What the source of a pack is at the moment. */
export type SourceSeen =
  /** The pack is suspended. */
  | { readonly kind: 'unread' }
  | { readonly kind: 'found'; readonly wanted: RevisionName; readonly verification: Verification }
  | { readonly kind: 'fault'; readonly fault: PackFault };

/** What was seen of a pack and of what it depends on. */
export interface PackObserved extends Kept {
  readonly place: PackPlace;
  readonly platformNamespace: string;
  /** Kinds that packs may look at. */
  readonly inventoryKinds: readonly Resource[];
  readonly source: SourceSeen;
  /** What policies on images say of its artifact; undefined where it has none. */
  readonly artifact?: ArtifactTrust | undefined;
  /** Of a pack of a tenant: what that has besides. */
  readonly holdings?: TenantHoldings | undefined;
  readonly replicas: readonly ReplicaView[];
  /** What the API server itself holds of packs of the platform. */
  readonly floors: FloorsSeen;
  /** What the wanted revision would do to what exists. */
  readonly blast: StageFacts['blast'];
  readonly blastProgress?: string;
}

/**
 * Decides what becomes of a pack: from its source a revision, which is made once it is verified, and from there stage by stage. What is
 * wrong with a new version changes nothing for the one that decides.
 */
export function planPolicyPack(pack: PolicyPack, observed: PackObserved, now: Date): Plan<PolicyPackStatus> {
  const leftovers = leftoversOf(pack, observed.revisions);
  if (leftovers.length > 0) return { ...statusOnly(pack.status ?? {}), remove: leftovers };
  const fault = faultOf(pack, observed);
  if (fault !== undefined) return planStage(pack, { observed, verdict: { kind: 'fault', fault } }, now);
  if (observed.source.kind !== 'found') return planStage(pack, { observed, verdict: observed.source }, now);
  const { wanted, verification } = observed.source;
  const revision = observed.revisions.find(({ metadata }) => metadata.name === wanted.name);
  if (revision !== undefined && isWhole(pack, revision, namesOf(observed)))
    return planStage(pack, { observed, verdict: { kind: 'made', wanted, verification } }, now);
  if (verification.kind === 'pending') return planPending(pack, now);
  const verdict = withinHoldings(verification, observed);
  if (verdict.kind === 'fault') return planStage(pack, { observed, verdict }, now);
  return planRevision(pack, { observed, wanted, verified: verdict.pack }, now);
}

/** What is verified, as long as its tenant may keep it. */
function withinHoldings(
  verification: Exclude<Verification, { readonly kind: 'pending' }>,
  { holdings }: PackObserved,
): Exclude<Verification, { readonly kind: 'pending' }> {
  if (verification.kind === 'fault' || holdings === undefined) return verification;
  const fault = storageFault(verification.pack, holdings);
  return fault === undefined ? verification : { kind: 'fault', fault };
}

function namesOf({ chunks }: Kept): ReadonlySet<string> {
  return new Set(chunks.map(({ metadata }) => metadata.name));
}

/** What can be said without looking at the source. */
function faultOf(pack: PolicyPack, observed: PackObserved): PackFault | undefined {
  const fault = placeFault(pack, observed);
  const { inventory } = pack.spec;
  const artifact = artifactFault(observed);
  if (fault !== undefined || inventory === undefined) return fault ?? artifact;
  const { place, inventoryKinds } = observed;
  const message = inventoryFault(inventory, inventoryKinds, place.kind === 'tenant');
  return message === undefined ? artifact : { reason: InventoryNotAllowed, message, passing: false };
}

/** What is wrong with an artifact counts as long as there is one: a source that cannot be found out by its manifest alone says why itself. */
function artifactFault({ source, artifact }: PackObserved): PackFault | undefined {
  return source.kind === 'found' && artifact?.kind === 'fault' ? artifact.fault : undefined;
}

function placeFault(pack: PolicyPack, { place, holdings }: PackObserved): PackFault | undefined {
  const { metadata, spec } = pack;
  if (place.kind === 'nobody') {
    const message = `namespace ${metadata.namespace} belongs to no tenant, and is not that of the platform: nobody is judged by packs in it`;
    return { reason: NotBound, message, passing: true };
  }
  if (place.kind === 'platform') return undefined;
  const field = (['tenants', 'excludedNamespaces'] as const).find((one) => spec.binding[one] !== undefined);
  if (field === undefined) return holdings && numberFault(pack, holdings);
  const message = `spec.binding.${field}: found in a pack of tenant ${place.tenant}; only packs in the namespace of the platform may have it, this one binds the namespaces of its tenant`;
  return { reason: BindingNotAllowed, message, passing: false };
}

/** What the source comes to. */
type Verdict =
  | { readonly kind: 'made'; readonly wanted: RevisionName; readonly verification: Verification }
  | { readonly kind: 'fault'; readonly fault: PackFault }
  | { readonly kind: 'unread' };

/** Where revisions are, with what is the matter with the source, if anything is. */
function planStage(
  pack: PolicyPack,
  { observed, verdict }: { readonly observed: PackObserved; readonly verdict: Verdict },
  now: Date,
): Plan<PolicyPackStatus> {
  const wanted = verdict.kind === 'made' ? verdict.wanted.name : undefined;
  const { replicas, blast, blastProgress, artifact } = observed;
  const withheld = artifact?.kind === 'fault' ? artifact.fault : undefined;
  const step = nextStage(
    {
      pack,
      wanted,
      revisions: newestFirst(observed.revisions),
      replicas,
      blast,
      strangers: strangersTo(pack, observed.revisions),
      ...defined({ blastProgress, withheld }),
    },
    now,
  );
  const remove = surplusOf(pack, observed, usedBy(step.status, wanted));
  const status = {
    ...step.status,
    ...(verdict.kind === 'fault' && !isUnknown(verdict) && { phase: phaseAfter(step.status) }),
    ...defined({ source: sourceOf(pack, verdict), decided: decidedAfter(step.status, observed, remove) }),
  };
  const active = observed.revisions.find(({ metadata }) => metadata.name === step.status.activeRevision);
  const floor = floorStanding(pack, active, observed.floors);
  const isHeld = floor.waiting === undefined || step.standing.kind !== 'ready';
  const standing = standingOf(pack, verdict, isHeld ? step.standing : floor.waiting);
  const conditions = [
    ...verifiedConditions(verdict, observed.artifact),
    step.loaded,
    ...listed(floor.condition),
  ];
  return {
    ...statusOnly(judged(pack, { status, conditions, standing }, now)),
    remove,
    events: [...step.events, ...floor.events],
    result: resultOf(sooner(step.afterMs, observed.artifact), verdict),
  };
}

/**
 * Of those that have been active, the ones that there is a way back to: neither gone, nor going by this very plan. The pass in which a revision
 * goes mostly writes something else as well, so this is no write of its own.
 */
function decidedAfter(
  { decided }: Pick<PolicyPackStatus, 'decided'>,
  { revisions }: Kept,
  removals: readonly Removal[],
): string[] | undefined {
  const going = new Set(removals.map(({ ref }) => ref.uid));
  const staying = revisions.map(({ metadata }) => metadata).filter(({ uid = '' }) => !going.has(uid));
  const names = new Set(staying.map(({ name }) => name));
  return decided?.filter((name) => names.has(name));
}

/** What was proved counts for a time. */
function sooner(afterMs: number | undefined, artifact: ArtifactTrust | undefined): number | undefined {
  return artifact?.kind === 'trusted' ? Math.min(afterMs ?? Infinity, artifact.againMs) : afterMs;
}

function isUnknown({ fault }: { readonly fault: PackFault }): boolean {
  return fault.isUnknown === true;
}

function listed(condition: ConditionInput | undefined): readonly ConditionInput[] {
  return condition === undefined ? [] : [condition];
}

/** A version that is refused is no news for what decides. */
function phaseAfter({ phase, activeRevision, candidateRevision }: PolicyPackStatus) {
  if (candidateRevision !== undefined) return phase;
  return activeRevision === undefined ? 'Rejected' : phase;
}

function usedBy(status: PolicyPackStatus, wanted: string | undefined): ReadonlySet<string> {
  const { activeRevision, candidateRevision, previousRevision } = status;
  return new Set(
    [activeRevision, candidateRevision, previousRevision, wanted].filter((one) => one !== undefined),
  );
}

/** What was found out of a revision is remembered with it; whoever begins anew does not find it out again. */
function sourceOf({ status }: PolicyPack, verdict: Verdict): PolicyPackStatus['source'] {
  if (verdict.kind !== 'made') return status?.source;
  const { wanted, verification } = verdict;
  const before = status?.source?.revision === wanted.name ? status.source : undefined;
  if (verification.kind !== 'verified')
    return before ?? { digest: wanted.sourceDigest, revision: wanted.name };
  const { tests, coveragePercent } = verification.pack;
  return { digest: wanted.sourceDigest, revision: wanted.name, tests, ...defined({ coveragePercent }) };
}

/** Of a source that is not read, what was said before stands. */
function verifiedConditions(
  verdict: Verdict,
  artifact: ArtifactTrust | undefined,
): readonly ConditionInput[] {
  if (verdict.kind === 'unread') return [];
  if (verdict.kind === 'fault') {
    const { reason, message } = verdict.fault;
    return [{ type: VERIFIED, status: isUnknown(verdict) ? 'Unknown' : 'False', reason, message }];
  }
  const more = artifact?.kind === 'trusted' ? `; ${artifact.message}` : '';
  const message = `the source is PolicyPackRevision ${verdict.wanted.name}${more}`;
  return [{ type: VERIFIED, status: 'True', reason: Verified, message }];
}

/** Somebody who goes back does not care what is wrong with the source. */
function standingOf({ spec }: PolicyPack, verdict: Verdict, standing: Standing): Standing {
  if (verdict.kind === 'unread' && standing.kind === 'ready') {
    const message = `spec.suspended is true, so nothing changes; ${standing.message}`;
    return { kind: 'ready', reason: Suspended, message };
  }
  if (verdict.kind !== 'fault' || spec.rollbackTo !== undefined) return standing;
  const { reason, message, passing } = verdict.fault;
  return { kind: passing ? 'reconciling' : 'stalled', reason, message };
}

function resultOf(afterMs: number | undefined, verdict: Verdict): Result {
  const passingMs = verdict.kind === 'fault' ? againMsOf(verdict.fault) : Infinity;
  const soonest = Math.min(afterMs ?? Infinity, passingMs);
  if (soonest === Infinity) return DONE;
  return {
    kind: 'requeueAfter',
    afterMs: soonest,
    why: 'the rollout goes on, or the source is looked at again',
  };
}

function againMsOf({ passing, againMs }: PackFault): number {
  return againMs ?? (passing ? PASSING_MS : Infinity);
}

/** What is verified already goes on being told, until something else is known. */
function planPending(pack: PolicyPack, now: Date): Plan<PolicyPackStatus> {
  const told = findCondition(pack.status?.conditions ?? [], VERIFIED);
  if (told?.observedGeneration === pack.metadata.generation) return statusOnly(pack.status ?? {});
  const message = 'the source is being read, compiled and tried';
  return statusOnly(underWay(pack, { reason: Verifying, message }, now));
}

/** A pack that is verified, and the name of its revision. */
interface Verified {
  readonly observed: PackObserved;
  readonly wanted: RevisionName;
  readonly verified: VerifiedPack;
}

function planRevision(
  pack: PolicyPack,
  { observed: { platformNamespace }, wanted, verified }: Verified,
  now: Date,
): Plan<PolicyPackStatus> {
  const message = `PolicyPackRevision ${wanted.name} is being made`;
  const status = underWay(pack, { reason: RevisionPending, message }, now);
  const verdict = { kind: 'made', wanted, verification: { kind: 'verified', pack: verified } } as const;
  // Written first: once it is made, nobody finds out again what its tests came to.
  return {
    ...statusOnly({ ...status, ...defined({ source: sourceOf(pack, verdict) }) }),
    create: objectsOf(pack, wanted, { verified, platformNamespace }),
  };
}

function underWay(
  pack: PolicyPack,
  { reason, message }: { readonly reason: string; readonly message: string },
  now: Date,
): PolicyPackStatus {
  const conditions: readonly ConditionInput[] = [{ type: VERIFIED, status: 'Unknown', reason, message }];
  const standing = { kind: 'reconciling', reason, message } as const;
  const status = { ...pack.status, phase: pack.status?.phase ?? 'Pending' } as const;
  return judged(pack, { status, conditions, standing }, now);
}

interface Judged {
  readonly status: PolicyPackStatus;
  readonly conditions: readonly ConditionInput[];
  readonly standing: Standing;
}

function judged(
  { metadata, status: before }: PolicyPack,
  { status, conditions, standing }: Judged,
  now: Date,
): PolicyPackStatus {
  const at = { generation: metadata.generation ?? 0, now };
  const set = setConditions(before?.conditions ?? [], conditions, at);
  return { ...status, observedGeneration: at.generation, conditions: [...setStanding(set, standing, at)] };
}

/** What the API server will not have: it says why, and is tried again by and by. */
export function planRefused(pack: PolicyPack, refusal: RefusedError, now: Date): Plan<PolicyPackStatus> {
  const fault: PackFault = { reason: RevisionRefused, message: refusal.message, passing: true };
  const standing = { kind: 'stalled', reason: fault.reason, message: fault.message } as const;
  const conditions: readonly ConditionInput[] = [
    { type: VERIFIED, status: 'False', reason: fault.reason, message: fault.message },
  ];
  return {
    ...statusOnly(judged(pack, { status: pack.status ?? {}, conditions, standing }, now)),
    result: { kind: 'requeueAfter', afterMs: PASSING_MS, why: 'the API server may have it later' },
  };
}

/** What cannot be found out at the moment is told, where nothing else was. */
export function planHeldUp(
  pack: PolicyPack,
  obstacle: ReconcileError,
  now: Date,
): Plan<PolicyPackStatus> | undefined {
  if (pack.status?.conditions !== undefined) return undefined;
  const status = underWay(pack, { reason: Verifying, message: obstacle.message }, now);
  return { ...statusOnly(status), result: { kind: 'retry', atMostMs: PASSING_MS, why: obstacle.message } };
}

/** Clears away what no owner takes with it. */
export function finalizePolicyPack(pack: PolicyPack, observed: Kept): Plan<PolicyPackStatus> {
  const remove = allChunksOf(observed.chunks);
  if (remove.length === 0) return { ...statusOnly(pack.status ?? {}), result: { kind: 'finalized' } };
  return {
    ...statusOnly(pack.status ?? {}),
    remove,
    result: { kind: 'requeueAfter', afterMs: 1000, why: 'what its revisions were kept in is going' },
  };
}
