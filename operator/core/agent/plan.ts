// SPDX-License-Identifier: Apache-2.0
import { AGENT_REASONS, type AgentStatus } from '#crds/v1alpha1/agent';
import { AGENT_SCHEDULE_REASONS, type ScheduleStatus } from '#crds/v1alpha1/agent-schedule';
import { isDeepEqual } from '../compare.ts';
import {
  findCondition,
  READY,
  removeCondition,
  setCondition,
  setStanding,
  STALLED,
  type Standing,
  toInstant,
  truncate,
} from '../conditions.ts';
import type { ReconcileError } from '../errors.ts';
import { keptForMs } from '../figures.ts';
import { type Condition, defined, type KubeObject } from '../object.ts';
import type { ImageTrust } from '../images/trust.ts';
import { DONE, type Plan, type Result, statusOnly } from '../plan.ts';
import type { Agent } from './agent.ts';
import { type CallerObserved, missingCaller, NO_CALLER, unwantedCaller } from './caller.ts';
import { type AgentSurroundings, checkAgent, checkRemote, type Refusal } from './checks.ts';
import { imageAgainMs, withImage } from './image-verified.ts';
import type { OrphanDecision } from './orphan.ts';
import { planRevision, type RevisionDecision, type RevisionsObserved } from './revision.ts';
import {
  countScheduled,
  planRefusedStart,
  planSchedule,
  type ScheduleDecision,
  type ScheduleObserved,
  waitFor,
} from './schedule.ts';
import { SCHEDULED, type Verdict } from './schedule-state.ts';
import { NO_SERVICE, type ServiceObserved } from './service/observed.ts';
import { planService, type ServiceDecision, serviceInStatus } from './service/plan.ts';
import { isOfService, refuseService, withService } from './service/report.ts';

/** Runs of an Agent that are not finished. */
export interface RunCounts {
  readonly queued: number;
  readonly active: number;
}

/** What was seen of an Agent and of what it depends on. */
export interface AgentObserved extends AgentSurroundings, ScheduleObserved, RevisionsObserved {
  readonly runs: RunCounts;
  /** Whether its namespace was deleted: the API server lets nothing be made there. */
  readonly isNamespaceGoing?: boolean;
  /** The account by which its Runs call others; none when left out. */
  readonly caller?: CallerObserved;
  /** Image of the program that speaks to endpoints of remote agents; undefined where there are none. */
  readonly remoteImage?: string | undefined;
  /** What stands for it; nothing when left out. */
  readonly service?: ServiceObserved;
  /** What policies on images say of its image; nobody does when left out. */
  readonly image?: ImageTrust;
}

/**
 * How soon a revision that is refused for long is tried again, if nothing changes. At first it is sooner: the API server learns a
 * moment after us that the namespace is a tenant's, and refuses what is made outside of these.
 */
const REVISION_AGAIN_MS = 30_000;

/**
 * Decides whether Runs of the Agent can be admitted, and from which revision, counts them, and starts those that its schedule asks
 * for. A new revision is made by a pass of its own, so that the status tells of it when it is there.
 */
export function planAgent(agent: Agent, observed: AgentObserved, now: Date): Plan<AgentStatus> {
  const revision = planRevision(agent, observed, now);
  const refusal = checkAgent(agent, observed) ?? checkRemote(agent, observed.remoteImage);
  const service = decideService(agent, { observed, revision, refusal }, now);
  return (
    planFirst(agent, { observed, revision, service }, now) ??
    planCaller(agent, observed, now) ??
    planStanding(agent, { observed, revision, refusal, service }, now)
  );
}

/** What must be there, or gone, before anything else is decided. */
function planFirst(
  agent: Agent,
  { observed, revision, service }: Omit<Decided, 'refusal'> & { readonly service: ServiceDecision },
  now: Date,
): Plan<AgentStatus> | undefined {
  if (revision.kind === 'active') return undefined;
  // Before what may be refused: nothing of a suspended tenant goes on for want of a revision.
  if (service.remove.length > 0) return { ...statusOnly(agent.status ?? {}), remove: service.remove };
  // What it had is gone already; it goes next, and nothing can be made any more.
  if (observed.isNamespaceGoing === true) return statusOnly(agent.status ?? {});
  if (revision.kind === 'missing') return makeRevision(agent, revision.create, now);
  return revision.kind === 'orphaned' ? takeOrphan(agent, revision, now) : undefined;
}

/** Before Runs are admitted, as their pods could not be made without it. */
function planCaller(
  agent: Agent,
  { tenant, caller = NO_CALLER }: AgentObserved,
  now: Date,
): Plan<AgentStatus> | undefined {
  const create = missingCaller(agent, { tenant, caller });
  if (create.length === 0) return undefined;
  const message = 'the account by which its Runs call others (spec.calls) is being made';
  const standing = { kind: 'reconciling', reason: AGENT_REASONS.CallerPending, message } as const;
  const status = isCallerRefused(agent) ? (agent.status ?? {}) : stoodAs(agent, standing, now);
  return { ...statusOnly(status), create };
}

/** Whether that was told, and it is tried again: no news. */
function isCallerRefused(agent: Agent): boolean {
  return readyReason(agent) === AGENT_REASONS.CallerRefused;
}

/** What Ready says of the present generation. */
function readyReason({ metadata, status }: Agent): string | undefined {
  const ready = findCondition(status?.conditions ?? [], READY);
  return ready?.observedGeneration === metadata.generation ? ready?.reason : undefined;
}

interface Decided {
  readonly observed: AgentObserved;
  readonly revision: RevisionDecision;
  readonly refusal: Refusal | undefined;
}

function planStanding(
  agent: Agent,
  { observed, revision, refusal, service }: Decided & { readonly service: ServiceDecision },
  now: Date,
): Plan<AgentStatus> {
  const generation = agent.metadata.generation ?? 0;
  const decision = planSchedule(agent, observed, now);
  const standing = service.standing ?? standingOf(refusal, revision);
  const stood = setStanding(agent.status?.conditions ?? [], standing, { generation, now });
  const scheduled = withVerdict(agent, { conditions: stood, verdict: decision.verdict }, now);
  const { image } = observed;
  const conditions = [...withImage(agent, { conditions: scheduled, image }, now)];
  const { counts, waitMs } = count(agent, { observed, decision }, now);
  const told = { ...counts, ...toldOf(agent, revision), ...serviceInStatus(service) };
  const status = { observedGeneration: generation, ...told, conditions };
  const { create, events } = decision;
  const remove = [...decision.remove, ...unwantedCaller(agent, observed.caller ?? NO_CALLER)];
  const again = lookAgain(Math.min(decision.afterMs, imageAgainMs(image)), waitMs);
  const plan = { ...statusOnly(status, again), create, remove, events };
  const whole = revision.kind === 'active' ? withRevisions(plan, revision) : plan;
  return withService(whole, { agent, service }, now);
}

function decideService(agent: Agent, { observed, revision, refusal }: Decided, now: Date): ServiceDecision {
  const { tenant, service = NO_SERVICE } = observed;
  const resumed = tenant && { ...tenant, spec: { ...tenant.spec, suspended: false } };
  const other = tenant?.spec.suspended ? checkAgent(agent, { ...observed, tenant: resumed }) : refusal;
  const active = revision.kind === 'active' ? revision.active : undefined;
  return planService(
    { agent, observed: service, tenant, refusal, isUnfit: other !== undefined, active },
    now,
  );
}

function standingOf(refusal: Refusal | undefined, revision: RevisionDecision): Standing {
  if (refusal !== undefined) return { kind: 'stalled', ...refusal };
  if (revision.kind === 'taken') return { ...PENDING, message: revision.message };
  return { kind: 'ready', reason: AGENT_REASONS.Accepted, message: 'Runs of the agent can be admitted' };
}

const PENDING = { kind: 'reconciling', reason: AGENT_REASONS.RevisionPending } as const;

function toldOf({ status }: Agent, revision: RevisionDecision) {
  if (revision.kind === 'active') return { activeRevision: revision.active, lastRevision: revision.last };
  const { activeRevision, lastRevision } = status ?? {};
  return defined({ activeRevision, lastRevision });
}

function withRevisions(
  plan: Plan<AgentStatus>,
  { remove, events, afterMs }: Extract<RevisionDecision, { readonly kind: 'active' }>,
): Plan<AgentStatus> {
  const isLater = plan.result.kind === 'requeueAfter' && plan.result.afterMs <= afterMs;
  const why = 'to remove revisions that nobody uses';
  const result: Result =
    isLater || afterMs === Infinity ? plan.result : { kind: 'requeueAfter', afterMs, why };
  return { ...plan, remove: [...plan.remove, ...remove], events: [...plan.events, ...events], result };
}

function makeRevision(agent: Agent, revision: KubeObject, now: Date): Plan<AgentStatus> {
  return {
    ...pending(agent, `AgentRevision ${revision.metadata.name} is being made`, now),
    create: [revision],
  };
}

function takeOrphan(agent: Agent, { replace, remove }: OrphanDecision, now: Date): Plan<AgentStatus> {
  const message =
    'its AgentRevision, left by an Agent of the same name that was deleted, is being taken over';
  return { ...pending(agent, message, now), replace, remove };
}

/** What is said is written only if the revision cannot be had; else the next pass says that it is there. */
function pending(agent: Agent, message: string, now: Date): Plan<AgentStatus> {
  const status = toldRefusal(agent) ?? stoodAs(agent, { ...PENDING, message }, now);
  return { ...statusOnly(status), defersStatus: true };
}

/** The status of an Agent whose revision was refused: that it is tried again is no news. */
function toldRefusal({ metadata, status }: Agent): AgentStatus | undefined {
  const ready = findCondition(status?.conditions ?? [], READY);
  const isTold = ready?.reason === AGENT_REASONS.RevisionRefused;
  return isTold && ready.observedGeneration === metadata.generation ? status : undefined;
}

function stoodAs(agent: Agent, standing: Standing, now: Date): AgentStatus {
  const generation = agent.metadata.generation ?? 0;
  const conditions = setStanding(agent.status?.conditions ?? [], standing, { generation, now });
  return { ...agent.status, observedGeneration: generation, conditions: [...conditions] };
}

/** The API server will not have the revision, or the Run that is due. */
export function planRefused(
  agent: Agent,
  { code, message }: ReconcileError,
  now: Date,
): Plan<AgentStatus> | undefined {
  if (isCallerRefused(agent) || readyReason(agent) === AGENT_REASONS.CallerPending)
    return refuseCaller(agent, message, now);
  // Until there is one of this generation, nothing else is made.
  if (agent.status?.activeRevision?.generation !== agent.metadata.generation)
    return refuseRevision(agent, message, now);
  if (isOfService(agent)) return refuseService(agent, { code, message }, now);
  const refused = planRefusedStart(agent, message);
  if (refused === undefined) return refuseRevision(agent, message, now);
  const { state, verdict, event } = refused;
  const known = { conditions: agent.status?.conditions ?? [], verdict };
  const status = { ...agent.status, schedule: state, conditions: [...withVerdict(agent, known, now)] };
  return { ...statusOnly(status, lookAgain(waitFor(state, now), Infinity)), events: [event] };
}

function refuseCaller(agent: Agent, why: string, now: Date): Plan<AgentStatus> {
  const message = truncate(
    `the account by which its Runs call others (spec.calls) could not be made: ${why}`,
    4096,
  );
  const status = stoodAs(agent, { kind: 'stalled', reason: AGENT_REASONS.CallerRefused, message }, now);
  return statusOnly(status, { kind: 'retry', atMostMs: REVISION_AGAIN_MS, why: 'to make the account' });
}

function refuseRevision(agent: Agent, why: string, now: Date): Plan<AgentStatus> {
  const message = truncate(
    `the AgentRevision that Runs are made from could not be made, or taken over: ${why}`,
    4096,
  );
  const status = stoodAs(agent, { kind: 'stalled', reason: AGENT_REASONS.RevisionRefused, message }, now);
  const result = { kind: 'retry', atMostMs: REVISION_AGAIN_MS, why: 'to make the revision' } as const;
  return statusOnly(status, result);
}

/** The conditions with what is said of the schedule. One that cannot be read stops no Run, but its writer must hear of it. */
function withVerdict(
  agent: Agent,
  {
    conditions,
    verdict,
  }: { readonly conditions: readonly Condition[]; readonly verdict: Verdict | undefined },
  now: Date,
): readonly Condition[] {
  if (verdict === undefined) return removeCondition(conditions, SCHEDULED);
  const at = { generation: agent.metadata.generation ?? 0, now };
  const told = setCondition(conditions, { type: SCHEDULED, ...verdict }, at);
  const isInvalid = verdict.reason === AGENT_SCHEDULE_REASONS.InvalidSchedule;
  if (!isInvalid || findCondition(conditions, STALLED) !== undefined) return told;
  const before = findCondition(agent.status?.conditions ?? [], STALLED);
  const known = before === undefined ? told : [...told, before];
  return setCondition(known, { type: STALLED, ...verdict, status: 'True' }, at);
}

interface Counted {
  readonly observed: AgentObserved;
  readonly decision: ScheduleDecision;
}

/** What is counted, as it was written if it is not time yet; with news of the schedule it costs no write of its own. */
function count(agent: Agent, { observed, decision }: Counted, now: Date) {
  const { runs: written, schedule } = agent.status ?? {};
  const { queued, active } = observed.runs;
  const counted = decision.state && countScheduled(decision.state, observed.scheduled);
  const counts = countsOf({ queued, active, countedAt: toInstant(now) }, counted);
  if (written === undefined) return { counts, waitMs: Infinity };
  const old = countsOf(written, schedule);
  const isNews = !isDeepEqual(decision.state, schedule);
  const isSame = isDeepEqual(old, countsOf({ ...written, queued, active }, counted));
  const waitMs = keptForMs({ at: isNews ? undefined : written.countedAt, isSame }, now);
  return waitMs > 0 ? { counts: old, waitMs } : { counts, waitMs: Infinity };
}

function countsOf(runs: NonNullable<AgentStatus['runs']>, schedule: ScheduleStatus | undefined) {
  return schedule === undefined ? { runs } : { runs, schedule };
}

function lookAgain(scheduleMs: number, countMs: number): Result {
  if (scheduleMs === Infinity && countMs === Infinity) return DONE;
  const why = countMs < scheduleMs ? 'to write the counts' : 'for the next start, or to look at the image';
  return { kind: 'requeueAfter', afterMs: Math.min(scheduleMs, countMs), why };
}
