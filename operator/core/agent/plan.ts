// SPDX-License-Identifier: Apache-2.0
import { AGENT_REASONS, type AgentStatus } from '#crds/v1alpha1/agent';
import { AGENT_SCHEDULE_REASONS, type ScheduleStatus } from '#crds/v1alpha1/agent-schedule';
import { isDeepEqual } from '../compare.ts';
import {
  findCondition,
  removeCondition,
  setCondition,
  setStanding,
  STALLED,
  type Standing,
  toInstant,
} from '../conditions.ts';
import type { ReconcileError } from '../errors.ts';
import { keptForMs } from '../figures.ts';
import type { Condition } from '../object.ts';
import { DONE, type Plan, type Result, statusOnly } from '../plan.ts';
import type { Agent } from './agent.ts';
import { type AgentSurroundings, checkAgent } from './checks.ts';
import {
  countScheduled,
  planRefusedStart,
  planSchedule,
  type ScheduleDecision,
  type ScheduleObserved,
  waitFor,
} from './schedule.ts';
import { SCHEDULED, type Verdict } from './schedule-state.ts';

/** Runs of an Agent that are not finished. */
export interface RunCounts {
  readonly queued: number;
  readonly active: number;
}

/** What was seen of an Agent and of what it depends on. */
export interface AgentObserved extends AgentSurroundings, ScheduleObserved {
  readonly runs: RunCounts;
}

/** Decides whether Runs of the Agent can be admitted, counts them, and starts those that its schedule asks for. */
export function planAgent(agent: Agent, observed: AgentObserved, now: Date): Plan<AgentStatus> {
  const generation = agent.metadata.generation ?? 0;
  const decision = planSchedule(agent, observed, now);
  const refusal = checkAgent(agent, observed);
  const standing: Standing =
    refusal === undefined
      ? { kind: 'ready', reason: AGENT_REASONS.Accepted, message: 'Runs of the agent can be admitted' }
      : { kind: 'stalled', ...refusal };
  const stood = setStanding(agent.status?.conditions ?? [], standing, { generation, now });
  const conditions = [...withVerdict(agent, { conditions: stood, verdict: decision.verdict }, now)];
  const { counts, waitMs } = count(agent, { observed, decision }, now);
  const status = { observedGeneration: generation, ...counts, conditions };
  const { create, remove, events } = decision;
  return { ...statusOnly(status, lookAgain(decision.afterMs, waitMs)), create, remove, events };
}

/** The API server will not have the Run that is due. */
export function planRefused(
  agent: Agent,
  { message }: ReconcileError,
  now: Date,
): Plan<AgentStatus> | undefined {
  const refused = planRefusedStart(agent, message);
  if (refused === undefined) return undefined;
  const { state, verdict, event } = refused;
  const known = { conditions: agent.status?.conditions ?? [], verdict };
  const status = { ...agent.status, schedule: state, conditions: [...withVerdict(agent, known, now)] };
  return { ...statusOnly(status, lookAgain(waitFor(state, now), Infinity)), events: [event] };
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
  const why = countMs < scheduleMs ? 'to write the counts' : 'for the next start';
  return { kind: 'requeueAfter', afterMs: Math.min(scheduleMs, countMs), why };
}
