// SPDX-License-Identifier: Apache-2.0
import { POLICY_PACK_REASONS } from '#crds/v1alpha1/policy-pack';
import type { BlastRadius } from '#crds/v1alpha1/policy-rollout';
import { type Standing, toInstant } from '../conditions.ts';
import { isNamed, type Move, present, reconciling, type Stand, stalled } from './move.ts';
import { PREPARING } from './rollout.ts';
import type { StageFacts, StageStatus } from './stage.ts';

const { Verifying, Reporting, AwaitingAcknowledgement, Loading, Suspended, RolledBack } = POLICY_PACK_REASONS;

/** What comes before a revision is a candidate: what it would do to what exists is known, and was read where it is much. */
export function begin(stand: Stand): Move {
  const { wanted, was, blast } = stand;
  if (wanted === undefined) return { status: { ...was, phase: was.phase ?? 'Pending' }, ...idle(stand) };
  const settled = settledMove(stand, wanted);
  if (settled !== undefined) return settled;
  if (blast === 'none') return name(stand, wanted, was);
  const report = reportFor(was.report, stand) ?? reportFor(blast, stand);
  return report === undefined ? awaitReport(stand, wanted) : judge(stand, wanted, report);
}

/** Of a revision that decides already, or that is not begun. */
function settledMove({ was, spec }: Stand, wanted: string): Move | undefined {
  if (wanted === was.activeRevision)
    return { status: present({ ...was, phase: 'Active', stage: undefined }) };
  if (was.rejected?.includes(wanted) === true) return { status: was, standing: undoneStanding(was, wanted) };
  if (!spec.suspended) return undefined;
  return { status: { ...was, phase: 'Verified' }, standing: suspendedStanding(wanted) };
}

/** Whether somebody has to find out what `wanted` would do to what exists before anything else can be decided on it. */
export function asksForReport({ pack, wanted }: Pick<StageFacts, 'pack' | 'wanted'>): boolean {
  const { activeRevision, candidateRevision, rejected = [], report } = pack.status ?? {};
  if (wanted === undefined || wanted === activeRevision || wanted === candidateRevision) return false;
  if (rejected.includes(wanted) || pack.spec.suspended || isNamed(pack.spec.rollbackTo)) return false;
  return !isOf(report, { wanted, activeRevision });
}

function judge(stand: Stand, wanted: string, report: BlastRadius): Move {
  const was = { ...stand.was, report };
  const why = needsReading(report, stand);
  if (why === undefined || stand.spec.rollout.acknowledge === report.digest) return name(stand, wanted, was);
  const status: StageStatus = { ...was, phase: 'Verified', stage: stageOf('Acknowledgement', stand) };
  return { status, standing: stalled(AwaitingAcknowledgement, why) };
}

/** It is a candidate: replicas load it, and nothing else comes of it yet. */
function name(stand: Stand, wanted: string, was: StageStatus): Move {
  const stage = { name: PREPARING, percent: 0, startedAt: toInstant(stand.now), samples: 0 };
  return {
    status: present({ ...was, phase: 'Shadow', candidateRevision: wanted, stage, comparison: undefined }),
    standing: reconciling(Loading, `replicas load ${wanted}`),
    afterMs: 0,
  };
}

function awaitReport(stand: Stand, wanted: string): Move {
  const progress = stand.blastProgress === undefined ? '' : `: ${stand.blastProgress}`;
  return {
    status: present({
      ...stand.was,
      phase: 'Verified',
      stage: stageOf('Report', stand),
      comparison: undefined,
    }),
    standing: reconciling(Reporting, `what ${wanted} would do to what exists is being found out${progress}`),
  };
}

function reportFor(report: BlastRadius | undefined, { wanted, was }: Stand): BlastRadius | undefined {
  return isOf(report, { wanted, activeRevision: was.activeRevision }) ? report : undefined;
}

function isOf(
  report: BlastRadius | undefined,
  pair: { readonly wanted: string | undefined; readonly activeRevision: string | undefined },
): boolean {
  return report?.revision === pair.wanted && (report?.against ?? '') === (pair.activeRevision ?? '');
}

/** Why somebody has to read the report first; undefined: it says nothing that was not allowed beforehand. */
function needsReading(report: BlastRadius, { spec }: Stand): string | undefined {
  const { maxNewlyDeniedPercent, maxNewlyAllowedPercent } = spec.rollout;
  const { newlyDenied, newlyAllowed, bothDenied = 0, scanned, digest } = report;
  const isStricter = newlyDenied * 100 > maxNewlyDeniedPercent * scanned;
  const isLooser = newlyAllowed * 100 > maxNewlyAllowedPercent * (newlyAllowed + bothDenied);
  if (!isStricter && !isLooser) return undefined;
  const denied = `${newlyDenied} of ${scanned} objects that exist would newly be refused (allowed: ${maxNewlyDeniedPercent} %)`;
  const allowed = `${newlyAllowed} of ${newlyAllowed + bothDenied} that are refused would be no longer (allowed: ${maxNewlyAllowedPercent} %)`;
  return `${denied}, ${allowed}: see status.report; to go on, set spec.rollout.acknowledge: ${digest}`;
}

function undoneStanding(was: StageStatus, wanted: string): Standing {
  const entry = was.history?.find(({ revision }) => revision === wanted);
  const why = entry?.message ?? `${wanted} was undone`;
  return stalled(
    entry?.reason ?? RolledBack,
    `${why}. ${activeWords(was)} Another version is another chance.`,
  );
}

function activeWords({ activeRevision }: StageStatus): string {
  return isNamed(activeRevision) ? `${activeRevision} decides.` : 'No revision decides.';
}

function suspendedStanding(wanted: string): Standing {
  return stalled(Suspended, `${wanted} is not rolled out, since spec.suspended is true`);
}

/** Whoever knows why there is no revision says so; here it is only being waited for. */
function idle({ was }: Stand): Pick<Move, 'standing'> {
  if (isNamed(was.activeRevision)) return {};
  return { standing: reconciling(Verifying, 'the source is being verified') };
}

function stageOf(stage: string, { was, now }: Stand): NonNullable<StageStatus['stage']> {
  if (was.stage?.name === stage) return was.stage;
  return { name: stage, percent: 0, startedAt: toInstant(now), samples: 0 };
}
