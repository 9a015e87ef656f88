// SPDX-License-Identifier: Apache-2.0
import {
  MAX_DECIDED_REVISIONS,
  POLICY_PACK_REASONS,
  type PackPhase,
  type PolicyPackStatus,
} from '#crds/v1alpha1/policy-pack';
import { type Standing, toInstant, truncate } from '../conditions.ts';
import type { PlanEvent } from '../plan.ts';
import type { ReplicaView } from './replicas.ts';
import type { StageFacts, StageStatus } from './stage.ts';

/** What a step is decided from, with what all of its arms need. */
export interface Stand extends Omit<StageFacts, 'pack'> {
  /** The pack, as namespace/name. */
  readonly key: string;
  readonly spec: StageFacts['pack']['spec'];
  /** The status so far. */
  readonly was: StageStatus;
  /** Replicas that are alive. */
  readonly live: readonly ReplicaView[];
  /** A revision of the pack as replicas name it. */
  readonly qualified: (revision: string) => string;
  readonly now: Date;
}

/** What an arm comes to. Without a standing, the pack stands as its active revision is enforced. */
export interface Move {
  readonly status: StageStatus;
  readonly standing?: Standing;
  readonly events?: readonly PlanEvent[];
  readonly afterMs?: number;
}

type HistoryEntry = NonNullable<PolicyPackStatus['history']>[number];

/** The stage in which replicas load what `spec.rollbackTo` names. */
export const ROLLING_BACK = 'RollingBack';
const MAX_HISTORY = 10;
const MAX_REJECTED = 20;
const MAX_WORDS = 512;
const { RevisionActivated } = POLICY_PACK_REASONS;

/** The status as it is, without what is no matter of stages. */
export function stay(status: PolicyPackStatus): StageStatus {
  const {
    phase,
    activeRevision,
    candidateRevision,
    previousRevision,
    stage,
    comparison,
    report,
    history,
    rejected,
    decided,
  } = status;
  return present({
    phase,
    activeRevision,
    candidateRevision,
    previousRevision,
    stage,
    comparison,
    report,
    history,
    rejected,
    decided,
  });
}

/** `status` without what is undefined, as JSON has it. */
export function present(status: { [Key in keyof StageStatus]: StageStatus[Key] | undefined }): StageStatus {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== undefined));
}

/** Whether a name is one. */
export function isNamed(name: string | undefined): name is string {
  return name !== undefined && name !== '';
}

/** One revision decides from now on: one field flips, and what was on its way is through. */
export function activate(
  stand: Stand,
  revision: string,
  before: Omit<HistoryEntry, 'at' | 'revision'>,
): Pick<Move, 'status' | 'events'> {
  const { was, now } = stand;
  const at = toInstant(now);
  const message = `${revision} decides from now on`;
  const entries: HistoryEntry[] = [
    { revision, outcome: 'Active', reason: RevisionActivated, message, at },
    ...(isNamed(was.activeRevision) ? [{ ...before, revision: was.activeRevision, at }] : []),
  ];
  return {
    status: present({
      ...was,
      phase: 'Active',
      activeRevision: revision,
      previousRevision: was.activeRevision,
      candidateRevision: undefined,
      stage: undefined,
      history: remember(stand, entries),
      decided: deciders(stand, revision),
    }),
    events: [{ type: 'Normal', reason: RevisionActivated, message }],
  };
}

/** Why a revision is undone. */
export interface Undoing {
  readonly revision: string;
  readonly phase: Extract<PackPhase, 'RolledBack' | 'Quarantined'>;
  readonly reason: string;
  readonly message: string;
}

/** A revision decides nothing any more, and is not begun again by itself: another version is another chance. */
export function undo(
  stand: Stand,
  { revision, phase, reason, message }: Undoing,
): Pick<Move, 'status' | 'events'> {
  const { was, now } = stand;
  const words = truncate(`${revision} was undone: ${message}`, MAX_WORDS);
  const entry: HistoryEntry = {
    revision,
    outcome: phase === 'Quarantined' ? 'Quarantined' : 'RolledBack',
    reason,
    message: words,
    at: toInstant(now),
  };
  const rejected = [revision, ...(was.rejected ?? []).filter((one) => one !== revision)];
  return {
    status: present({
      ...was,
      phase,
      candidateRevision: undefined,
      stage: undefined,
      rejected: rejected.slice(0, MAX_REJECTED),
      history: remember(stand, [entry]),
      decided: decidedSoFar(stand),
    }),
    events: [{ type: 'Warning', reason, message: words }],
  };
}

/** The candidate is no longer wanted; nothing is held against it. */
export function withdraw(stand: Stand, why: string): StageStatus {
  const { was, now } = stand;
  const { candidateRevision: revision } = was;
  if (!isNamed(revision)) return was;
  const entry: HistoryEntry = {
    revision,
    outcome: 'Withdrawn',
    reason: 'Withdrawn',
    message: why,
    at: toInstant(now),
  };
  return present({
    ...was,
    candidateRevision: undefined,
    stage: undefined,
    comparison: undefined,
    history: remember(stand, [entry]),
    decided: decidedSoFar(stand),
  });
}

/** A standing of a pack that is on its way. */
export function reconciling(reason: string, message: string): Standing {
  return { kind: 'reconciling', reason, message };
}

/** A standing of a pack that somebody has to do something about. */
export function stalled(reason: string, message: string): Standing {
  return { kind: 'stalled', reason, message };
}

/** Whether a revision that is there is known to have been active. */
export function hasDecided({ was }: Pick<Stand, 'was'>, revision: string): boolean {
  return decidedBefore(was).includes(revision);
}

/** Those that have decided and are still there, with the one that does now. */
function deciders(stand: Stand, revision: string): string[] {
  return [...new Set([revision, ...remaining(stand)])].slice(0, MAX_DECIDED_REVISIONS);
}

/**
 * Those that have decided, where nobody begins to. They are written down with the first entry of the history that comes after a status
 * from before they were: the entries that told it may have to go for that one.
 */
function decidedSoFar(stand: Stand): string[] | undefined {
  if (stand.was.decided !== undefined) return stand.was.decided;
  const there = [...new Set(remaining(stand))].slice(0, MAX_DECIDED_REVISIONS);
  return there.length === 0 ? undefined : there;
}

function remaining({ was, revisions }: Stand): string[] {
  return decidedBefore(was).filter((one) => revisions.includes(one));
}

/** A status from before these were written down says it of some in its history. */
function decidedBefore({ activeRevision, previousRevision, decided = [], history = [] }: StageStatus) {
  const told = history.filter(({ outcome }) => outcome === 'Active').map(({ revision }) => revision);
  return [activeRevision, previousRevision, ...decided, ...told].filter(isNamed);
}

/** The newest of it, and since when the one decides that does: a revision that has just become active is undone where it is not fit to run. */
function remember({ was }: Stand, entries: readonly HistoryEntry[]): HistoryEntry[] {
  const all = [...entries, ...(was.history ?? [])];
  const since = all.find(({ outcome }) => outcome === 'Active');
  const others = all.filter((one) => one !== since).slice(0, MAX_HISTORY - Number(since !== undefined));
  return all.filter((one) => one === since || others.includes(one));
}
