// SPDX-License-Identifier: Apache-2.0
import { POLICY_PACK_REASONS } from '#crds/v1alpha1/policy-pack';
import { type Standing, toInstant } from '../conditions.ts';
import {
  activate,
  hasDecided,
  isNamed,
  type Move,
  present,
  ROLLING_BACK,
  type Stand,
  stalled,
  undo,
  withdraw,
} from './move.ts';
import { noSuchRevision } from './no-revision.ts';
import { loadingOf, quarantineOf } from './replicas.ts';

const { RolledBack, RevisionNotFound, NeverActive, Quarantined } = POLICY_PACK_REASONS;
/** Going back waits so long for replicas that have not loaded what one goes back to; the others are not to wait for them. */
const BACK_MS = 3000;
/**
 * For so long after it became active, a revision that replicas have stopped running is undone. Later, it is as likely that somebody
 * found a request that it cannot stand, and wants the looser one before it: then its enforcement decides, and people.
 */
const BAKE_MS = 3_600_000;

/** What goes before every rollout: somebody wants to go back, or what has just become active is not fit to run. */
export function holdAt(stand: Stand): Move | undefined {
  const { rollbackTo } = stand.spec;
  const isBack = isNamed(rollbackTo) && withheldBack(stand) === undefined;
  return isBack ? goBack(stand, rollbackTo) : undoActive(stand);
}

/**
 * Why nobody goes to what `spec.rollbackTo` names: it has never decided, so that would not be to go back, and its artifact is not as
 * asked, or is one that nobody holds against policies on images any more. Where revisions are goes on as if it were not named.
 */
export function withheldBack(stand: Stand): Standing | undefined {
  const { spec, revisions, withheld, strangers } = stand;
  const { rollbackTo: target } = spec;
  if (!isNamed(target) || !revisions.includes(target) || hasDecided(stand, target)) return undefined;
  const made = strangers?.get(target);
  if (made !== undefined) return stalled(NeverActive, neverActive(target, made));
  if (withheld === undefined) return undefined;
  const { reason, passing } = withheld;
  const message = `spec.rollbackTo: ${target} has never been active, and goes no further; ${withheld.message}`;
  return { kind: passing ? 'reconciling' : 'stalled', reason, message };
}

function neverActive(target: string, made: string): string {
  const what = `${target} is not known to have been active, and was made of ${made}, which spec.source does not name`;
  return `spec.rollbackTo: ${what}: it is held against no policy on images. Name that in spec.source, and it is`;
}

function goBack(stand: Stand, target: string): Move | undefined {
  const { was, revisions } = stand;
  if (!revisions.includes(target))
    return {
      status: was,
      standing: stalled(RevisionNotFound, noSuchRevision(target, stand.key, revisions)),
    };
  if (was.activeRevision === target) return stayBack(stand, target);
  if (isReady(stand, target)) {
    const { status, events } = activate(stand, target, {
      outcome: 'RolledBack',
      reason: RolledBack,
      message: `spec.rollbackTo names ${target}`,
    });
    const phase = stand.wanted === target ? 'Active' : 'RolledBack';
    return { status: { ...status, phase }, ...(events && { events }) };
  }
  const startedAt = startedOf(stand, target) ?? toInstant(stand.now);
  return {
    status: present({
      ...withdrawnFor(stand, target),
      phase: 'RolledBack',
      candidateRevision: target,
      stage: { name: ROLLING_BACK, percent: 0, startedAt, samples: 0 },
    }),
    standing: {
      kind: 'reconciling',
      reason: RolledBack,
      message: `replicas load ${target}, which spec.rollbackTo names`,
    },
    afterMs: Math.max(0, Date.parse(startedAt) + BACK_MS - stand.now.getTime()),
  };
}

function withdrawnFor(stand: Stand, target: string) {
  return stand.was.candidateRevision === target ? stand.was : withdraw(stand, WITHDRAWN);
}

const WITHDRAWN = 'spec.rollbackTo holds the pack at another revision';

function stayBack(stand: Stand, target: string): Move {
  const phase = stand.wanted === target ? 'Active' : 'RolledBack';
  return { status: { ...withdraw(stand, WITHDRAWN), phase } };
}

function isReady(stand: Stand, target: string): boolean {
  const { kind } = loadingOf(stand.live, [stand.qualified(target)]);
  if (kind === 'loaded' || kind === 'nobody') return true;
  const startedAt = startedOf(stand, target);
  return startedAt !== undefined && stand.now.getTime() >= Date.parse(startedAt) + BACK_MS;
}

function startedOf({ was }: Stand, target: string): string | undefined {
  const isOn = was.stage?.name === ROLLING_BACK && was.candidateRevision === target;
  return isOn ? was.stage?.startedAt : undefined;
}

function undoActive(stand: Stand): Move | undefined {
  const { was, live, revisions } = stand;
  const { activeRevision: active, previousRevision: previous } = was;
  if (!isNamed(active)) return undefined;
  const trouble = quarantineOf(live, stand.qualified(active));
  if (trouble === undefined) return undefined;
  const message = `replicas have stopped running it (${trouble.reason}${wordsOf(trouble.message)})`;
  if (!isNamed(previous) || !revisions.includes(previous) || !isFresh(stand, active)) return undefined;
  const undone = undo(stand, { revision: active, phase: 'Quarantined', reason: Quarantined, message });
  return {
    status: present({ ...undone.status, activeRevision: previous, previousRevision: undefined }),
    ...(undone.events && { events: undone.events }),
  };
}

function isFresh({ was, now }: Stand, active: string): boolean {
  const entry = was.history?.find(({ revision, outcome }) => revision === active && outcome === 'Active');
  return entry !== undefined && now.getTime() < Date.parse(entry.at) + BAKE_MS;
}

function wordsOf(message: string | undefined): string {
  return message === undefined ? '' : `: ${message}`;
}
