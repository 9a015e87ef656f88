// SPDX-License-Identifier: Apache-2.0
import type { PolicyPackSpec, PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import type { BlastRadius } from '#crds/v1alpha1/policy-rollout';
import type { ConditionInput, Standing } from '../conditions.ts';
import type { PlanEvent } from '../plan.ts';
import { begin } from './beginning.ts';
import { isNamed, type Move, stay, type Stand } from './move.ts';
import { enforcementOf, loadedCondition, tallyOf } from './enforcement.ts';
import { holdAt, withheldBack } from './hold.ts';
import type { ReplicaView } from './replicas.ts';
import { goOn } from './rollout.ts';
import type { PackFault } from './verification.ts';

/** What the life of a revision is decided from; the status is the only memory there is. */
export interface StageFacts {
  readonly pack: {
    readonly metadata: { readonly name: string; readonly namespace?: string };
    readonly spec: Pick<PolicyPackSpec, 'rollout' | 'rollbackTo' | 'suspended'>;
    readonly status?: PolicyPackStatus | undefined;
  };
  /** The PolicyPackRevision that the source comes to, made and verified; undefined: there is none (yet). */
  readonly wanted: string | undefined;
  /** What is wrong with the artifact of the source, or not known of it: nothing begins to decide meanwhile that never has. */
  readonly withheld?: PackFault | undefined;
  /** Revisions that were fetched and are not what the source names now, with the digest of what they were made of. */
  readonly strangers?: ReadonlyMap<string, string>;
  /** PolicyPackRevisions of the pack that are there, the newest first. */
  readonly revisions: readonly string[];
  readonly replicas: readonly ReplicaView[];
  /** What `wanted` would do to what exists, once that is known. `none`: nobody can tell here, and nobody waits for it. */
  readonly blast: BlastRadius | 'none' | undefined;
  /** How far that is, in words. */
  readonly blastProgress?: string;
}

/** The part of the status that says where revisions are. */
export type StageStatus = Pick<
  PolicyPackStatus,
  | 'phase'
  | 'activeRevision'
  | 'candidateRevision'
  | 'previousRevision'
  | 'stage'
  | 'comparison'
  | 'report'
  | 'replicas'
  | 'history'
  | 'rejected'
  | 'decided'
>;

/** What becomes of a pack. */
export interface StageStep {
  readonly status: StageStatus;
  readonly standing: Standing;
  /** The condition Loaded. */
  readonly loaded: ConditionInput;
  readonly events: readonly PlanEvent[];
  /** When to look again, though nothing changes. */
  readonly afterMs?: number;
}

/** How soon one looks whether a replica that has not answered is alive at all. */
const REPLICAS_MS = 5000;

/**
 * The next step of a pack: Verified, reported, Shadow, Cohort, Active; back at once when a candidate does harm, or somebody says so. A
 * step changes one thing, which is written before anybody acts on it, so that any number of ends in between comes to the same.
 */
export function nextStage(facts: StageFacts, now: Date): StageStep {
  const stand = standOf(facts, now);
  const move = holdAt(stand) ?? goOn(stand) ?? begin(stand);
  const { active, candidate } = namesAfter(move, stand);
  const enforcement = enforcementOf(stand, { active, candidate, phase: move.status.phase });
  const isWaiting = enforcement.kind !== 'enforced';
  const standing = withheldBack(stand) ?? move.standing ?? enforcement.standing;
  return {
    status: { ...move.status, replicas: tallyOf(stand, { active, candidate, phase: move.status.phase }) },
    standing,
    loaded: loadedCondition(stand, [active, candidate].filter(isNamed)),
    events: move.events ?? [],
    ...afterMs(move.afterMs, isWaiting && stand.live.length > 0),
  };
}

function standOf({ pack, ...facts }: StageFacts, now: Date): Stand {
  const { namespace = '', name } = pack.metadata;
  const was = pack.status ?? {};
  return {
    ...facts,
    key: `${namespace}/${name}`,
    spec: pack.spec,
    was: stay(was),
    live: facts.replicas.filter(({ live }) => live),
    qualified: (revision) => `${namespace}/${revision}`,
    now,
  };
}

function namesAfter({ status }: Move, { qualified }: Stand) {
  const { activeRevision, candidateRevision } = status;
  return {
    active: activeRevision === undefined ? undefined : qualified(activeRevision),
    candidate: candidateRevision === undefined ? undefined : qualified(candidateRevision),
  };
}

function afterMs(wanted: number | undefined, isWaiting: boolean): { readonly afterMs?: number } {
  const all = [wanted, isWaiting ? REPLICAS_MS : undefined].filter((one) => one !== undefined);
  return all.length === 0 ? {} : { afterMs: Math.max(0, Math.min(...all)) };
}
