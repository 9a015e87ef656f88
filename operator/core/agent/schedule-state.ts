// SPDX-License-Identifier: Apache-2.0
import { AGENT_REASONS } from '#crds/v1alpha1/agent';
import { AGENT_SCHEDULE_REASONS, type Schedule, type ScheduleStatus } from '#crds/v1alpha1/agent-schedule';
import { findCondition, toInstant } from '../conditions.ts';
import type { Condition, KubeObject } from '../object.ts';
import type { Tenant } from '../tenant/tenant.ts';
import type { Agent } from './agent.ts';
import { problemOf } from './cron.ts';
import { isScheduledBy } from './scheduled-run.ts';

/** Condition of Agents that have a schedule. */
export const SCHEDULED = 'Scheduled';

/** A clock may go back this far, or that of the next leader be behind, and starts go on after the last one. */
const MAX_SKEW_MS = 3_600_000;

/** What the condition Scheduled says. */
export type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>;

const NOT_STARTING: ReadonlySet<string> = new Set([
  AGENT_REASONS.Terminating,
  AGENT_REASONS.TenantNotFound,
  AGENT_REASONS.TenantSuspended,
  AGENT_SCHEDULE_REASONS.ScheduleSuspended,
]);

/** What the condition said last. */
export function lastVerdict({ status }: Agent): Condition | undefined {
  return findCondition(status?.conditions ?? [], SCHEDULED);
}

/** What is known of the schedule; of one that is new or was changed, that nothing is to be made up for. */
export function begin(agent: Agent, { cron, timeZone }: Schedule, now: Date): ScheduleStatus {
  const known = agent.status?.schedule;
  if (known?.cron === cron && known.timeZone === timeZone) return known;
  const { generation, creationTimestamp } = agent.metadata;
  // Of one that was there from the beginning, whoever looked at it late has missed starts.
  const isOriginal = known === undefined && generation === 1 && creationTimestamp !== undefined;
  const since = isOriginal ? creationTimestamp : toInstant(now);
  const { nextScheduleTime: _next, ...kept } = known ?? { active: 0 };
  return { ...kept, cron, timeZone, since };
}

/** Puts on record that the Run of a start was made; its uid tells it from one that comes later. */
export function settle(agent: Agent, state: ScheduleStatus, seen: KubeObject | undefined): ScheduleStatus {
  const { starting, ...rest } = state;
  if (starting === undefined || seen === undefined || !isScheduledBy(seen, agent)) return state;
  const { name, uid = '' } = seen.metadata;
  return { ...rest, lastScheduleTime: starting.scheduledTime, lastRun: { name, uid } };
}

/** The start that is `starting` is not made any more. */
export function giveUp(state: ScheduleStatus): ScheduleStatus {
  const { starting, ...rest } = state;
  return starting === undefined ? state : { ...rest, lastMissedTime: starting.scheduledTime };
}

/** Nothing is due any more until something changes. */
export function halt(state: ScheduleStatus): ScheduleStatus {
  const { nextScheduleTime: _next, ...rest } = giveUp(state);
  return rest;
}

/** The state to go on from: what fell due while nothing was to be started, or by a clock that was wrong, does not count. */
export function resume(agent: Agent, state: ScheduleStatus, now: Date): ScheduleStatus {
  const verdict = lastVerdict(agent);
  const wasHeld = verdict?.status === 'False' && NOT_STARTING.has(verdict.reason);
  const isAhead = cursorOf(state).getTime() > now.getTime() + MAX_SKEW_MS;
  if (!wasHeld && !isAhead) return state;
  const { nextScheduleTime: _next, ...rest } = state;
  if (!isAhead) return { ...rest, since: toInstant(now) };
  // Names of Runs follow from their time, so one that is there already is found and not made again.
  const { lastScheduleTime: _last, lastMissedTime: _missed, starting: _starting, ...others } = rest;
  return { ...others, since: toInstant(now) };
}

/** Up to when every start is dealt with. */
export function cursorOf({ since, lastScheduleTime, lastMissedTime, starting }: ScheduleStatus): Date {
  const all = [since, lastScheduleTime, lastMissedTime, starting?.scheduledTime];
  const times = all.filter((one) => one !== undefined).map((one) => Date.parse(one));
  return new Date(Math.max(...times));
}

/** Why nothing is started, if so. */
export function obstacleOf(
  agent: Agent,
  observed: { readonly schedule: Schedule; readonly tenant: Tenant | undefined },
): Verdict | undefined {
  const { schedule, tenant } = observed;
  if (agent.metadata.deletionTimestamp !== undefined) {
    return notStarting(AGENT_REASONS.Terminating, 'the Agent was deleted: no Run of it is started any more');
  }
  if (schedule.suspend) {
    const message = 'suspended by spec.schedule.suspend; what falls due meanwhile is not made up for';
    return notStarting(AGENT_SCHEDULE_REASONS.ScheduleSuspended, message);
  }
  if (tenant === undefined) {
    const message = 'no Run is started, since the namespace belongs to no tenant';
    return notStarting(AGENT_REASONS.TenantNotFound, message);
  }
  if (!tenant.spec.suspended) return undefined;
  const message = `no Run is started while tenant ${tenant.metadata.name} is suspended (spec.suspended is true); what falls due meanwhile is not made up for`;
  return notStarting(AGENT_REASONS.TenantSuspended, message);
}

function notStarting(reason: string, message: string): Verdict {
  return { status: 'False', reason, message };
}

/** That the schedule cannot be read, if so. */
export function invalidity(schedule: Schedule, now: Date): Verdict | undefined {
  const problem = problemOf(schedule, now);
  return problem === undefined ? undefined : notStarting(AGENT_SCHEDULE_REASONS.InvalidSchedule, problem);
}
