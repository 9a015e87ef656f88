// SPDX-License-Identifier: Apache-2.0
import { POLICY_PACK_REASONS, type PackPhase } from '#crds/v1alpha1/policy-pack';
import type { PolicyRollout } from '#crds/v1alpha1/policy-rollout';
import { toInstant } from '../conditions.ts';
import { comparedOf, doubtsOf, type FaultKind, faultWords } from './comparison.ts';
import { type Harm, harmShown } from './harm.ts';
import {
  activate,
  isNamed,
  type Move,
  present,
  reconciling,
  ROLLING_BACK,
  type Stand,
  undo,
  withdraw,
} from './move.ts';
import { boundsOf, comparedIn, comparisonOf, countsOf } from './pairs.ts';
import { loadingOf, quarantineOf, someOf } from './replicas.ts';
import type { StageStatus } from './stage.ts';

/** The stage in which replicas load a candidate. */
export const PREPARING = 'Preparing';
const SHADOW = 'Shadow';
/** A candidate that some replica cannot load by then is undone. */
const PREPARE_MS = 120_000;
const { Loading, LoadFailed, NoReplicas, Suspended, Verifying, Quarantined } = POLICY_PACK_REASONS;
const { Shadowing, Soaking, AwaitingPromotion, AwaitingEvidence } = POLICY_PACK_REASONS;

type Stage = NonNullable<StageStatus['stage']>;

/** What becomes of a candidate; undefined: there is none (any more). */
export function goOn(stand: Stand): Move | undefined {
  const { was, wanted } = stand;
  const { candidateRevision: candidate } = was;
  if (!isNamed(candidate)) return undefined;
  // That nobody goes back any more is no way for what was once undone to come back.
  const isOver = was.stage?.name === ROLLING_BACK || (wanted !== undefined && wanted !== candidate);
  if (isOver) return giveWay(stand, wanted ?? 'what was active before');
  const counted = count(stand, candidate);
  return harmOf(counted, candidate) ?? pauseOf(counted, candidate) ?? advance(counted, candidate);
}

/** Written by itself: what comes next is begun by the pass that follows. */
function giveWay(stand: Stand, wanted: string): Move {
  const status = withdraw(stand, `${wanted} is wanted by now`);
  const phase: PackPhase = 'Verified';
  return {
    status: { ...status, phase },
    standing: reconciling(Verifying, `${wanted} takes the place of what was on its way`),
    afterMs: 0,
  };
}

/** With what replicas have counted since. */
function count(stand: Stand, candidate: string): Stand {
  const { was } = stand;
  const comparison = comparisonOf(stand, candidate);
  const { stage } = was;
  if (comparison === undefined || stage === undefined) return stand;
  // A replica that is gone took its counts with it; what it had added to the stage stays.
  const more = Math.max(0, comparedOf(countsOf(comparison)) - comparedOf(countsOf(was.comparison)));
  return { ...stand, was: { ...was, comparison, stage: { ...stage, samples: stage.samples + more } } };
}

const QUARANTINES: readonly FaultKind[] = ['TimedOut'];

/** Undone, whoever is suspended or waits for somebody: harm does not wait. */
function harmOf(stand: Stand, revision: string): Move | undefined {
  const { live, was } = stand;
  const trouble = quarantineOf(live, stand.qualified(revision));
  if (trouble !== undefined) {
    const message = `replicas have stopped running it (${trouble.reason}): ${trouble.message ?? 'it misbehaves'}`;
    return undo(stand, { revision, phase: 'Quarantined', reason: Quarantined, message });
  }
  const harm = harmShown(comparedIn(was.comparison), boundsOf(stand));
  if (harm === undefined || harm.kind === 'oneTenant') return undefined;
  const { fault } = harm;
  const phase = QUARANTINES.includes(fault.kind) ? 'Quarantined' : 'RolledBack';
  return undo(stand, { revision, phase, reason: fault.kind, message: faultWords(fault) });
}

function pauseOf({ was, spec, wanted }: Stand, candidate: string): Move | undefined {
  if (spec.suspended) {
    const message = `${candidate} stays where it is, since spec.suspended is true`;
    return { status: was, standing: { kind: 'stalled', reason: Suspended, message } };
  }
  if (wanted !== undefined) return undefined;
  const message = `${candidate} stays where it is until the new source is verified`;
  return { status: was, standing: reconciling(Verifying, message) };
}

function advance(stand: Stand, candidate: string): Move {
  const stage = stand.was.stage ?? {
    name: PREPARING,
    percent: 0,
    startedAt: toInstant(stand.now),
    samples: 0,
  };
  const loading = loadingOf(stand.live, [stand.qualified(candidate)]);
  if (loading.kind !== 'loaded') return awaitLoading(stand, { candidate, stage });
  if (stage.name === PREPARING) return enter(stand, { name: SHADOW, percent: 0 });
  const due = dueOf(stand.spec.rollout, stage);
  const leftMs = Date.parse(stage.startedAt) + due.seconds * 1000 - stand.now.getTime();
  if (leftMs > 0) {
    const { reason, doing } = wordsOf(stage);
    const message = `${candidate} ${doing} until ${due.seconds} s are over`;
    return { status: stand.was, standing: reconciling(reason, message), afterMs: leftMs };
  }
  return awaitEvidence(stand, { candidate, stage, samples: due.samples }) ?? stepOn(stand, candidate, stage);
}

function awaitLoading(
  stand: Stand,
  { candidate, stage }: { readonly candidate: string; readonly stage: Stage },
): Move {
  const loading = loadingOf(stand.live, [stand.qualified(candidate)]);
  if (loading.kind === 'nobody') {
    const message = `there is no replica that could load ${candidate}`;
    return { status: stand.was, standing: reconciling(NoReplicas, message) };
  }
  const message = loadingWords(loading, candidate);
  // Replicas that come later have all the time they need: what they cannot load by then was loaded by others.
  const leftMs = Date.parse(stage.startedAt) + PREPARE_MS - stand.now.getTime();
  if (stage.name === PREPARING && leftMs <= 0)
    return undo(stand, { revision: candidate, phase: 'RolledBack', reason: LoadFailed, message });
  return {
    status: stand.was,
    standing: reconciling(Loading, message),
    ...(stage.name === PREPARING && { afterMs: leftMs }),
  };
}

function loadingWords(loading: ReturnType<typeof loadingOf>, candidate: string): string {
  if (loading.kind === 'refused') {
    const { name, trouble } = loading;
    return `replica ${name} cannot load ${candidate}: ${trouble.message ?? trouble.reason}`;
  }
  const names = loading.kind === 'waiting' ? someOf(loading.names) : '';
  return `${candidate} is not loaded yet by ${names}`;
}

function enter(stand: Stand, { name, percent }: Pick<Stage, 'name' | 'percent'>): Move {
  const phase: PackPhase = name === SHADOW ? 'Shadow' : 'Cohort';
  const stage = { name, percent, startedAt: toInstant(stand.now), samples: 0 };
  const { reason, doing } = wordsOf(stage);
  return {
    status: present({ ...stand.was, phase, stage }),
    standing: reconciling(reason, `${stand.was.candidateRevision} ${doing}`),
    afterMs: dueOf(stand.spec.rollout, stage).seconds * 1000,
  };
}

/** What keeps a candidate where it is though its time is over. Who names it has looked, and decides in place of evidence. */
function awaitEvidence(
  stand: Stand,
  {
    candidate,
    stage,
    samples,
  }: { readonly candidate: string; readonly stage: Stage; readonly samples: number },
): Move | undefined {
  const { promote, promoteTo } = stand.spec.rollout;
  if (promoteTo === candidate) return undefined;
  if (promote === 'Manual' && stage.name === SHADOW) {
    const message = `to go on, set spec.rollout.promoteTo: ${candidate}; status.comparison tells how it judged`;
    return { status: stand.was, standing: { kind: 'stalled', reason: AwaitingPromotion, message } };
  }
  if (stage.samples < samples)
    return doubt(stand, `${stage.samples} of ${samples} requests have been judged by ${candidate}`);
  const { comparison } = stand.was;
  const harm = harmShown(comparedIn(comparison), boundsOf(stand));
  if (harm?.kind === 'oneTenant') return doubt(stand, oneTenantWords(harm, candidate));
  const [first] = doubtsOf(countsOf(comparison), boundsOf(stand));
  return (
    first && doubt(stand, `${faultWords(first)}; more requests will tell whether ${candidate} is to blame`)
  );
}

/** Whether that tenant is right is for people to say: it could have all that it does not like undone. */
function oneTenantWords({ fault, tenant }: Extract<Harm, { kind: 'oneTenant' }>, candidate: string): string {
  const words = `${faultWords(fault)}, but for tenant ${tenant} that is not shown`;
  return `${words}; spec.rollout.promoteTo: ${candidate} goes on, another spec.version or source takes it back`;
}

function doubt(stand: Stand, message: string): Move {
  return { status: stand.was, standing: reconciling(AwaitingEvidence, message) };
}

function stepOn(stand: Stand, candidate: string, stage: Stage): Move {
  const { steps = [] } = stand.spec.rollout;
  const next = steps.find(({ percent }) => percent > stage.percent);
  if (next !== undefined) return enter(stand, { name: `Cohort ${next.percent} %`, percent: next.percent });
  return activate(stand, candidate, {
    outcome: 'Superseded',
    reason: 'Superseded',
    message: `${candidate} took its place`,
  });
}

/** How long a stage takes at least, and how many requests. */
function dueOf({ shadowSeconds, steps = [] }: PolicyRollout, { percent }: Pick<Stage, 'percent'>) {
  if (percent === 0) return { seconds: shadowSeconds, samples: 0 };
  const step = steps.find((one) => one.percent === percent);
  // The step was taken out of the spec meanwhile: nothing is waited for.
  return { seconds: step?.soakSeconds ?? 0, samples: step?.minSamples ?? 0 };
}

function wordsOf({ percent }: Pick<Stage, 'percent'>): { readonly reason: string; readonly doing: string } {
  if (percent === 0) return { reason: Shadowing, doing: 'is judged beside what is active, without effect,' };
  return { reason: Soaking, doing: `decides for ${percent} % and is compared` };
}
