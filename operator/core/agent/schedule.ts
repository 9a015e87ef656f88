// SPDX-License-Identifier: Apache-2.0
import { AGENT_SCHEDULE_REASONS, type Schedule, type ScheduleStatus } from '#crds/v1alpha1/agent-schedule';
import { toInstant } from '../conditions.ts';
import type { KubeObject } from '../object.ts';
import { GONE_MS, type PlanEvent, type Removal } from '../plan.ts';
import { type Kinship, NO_KIN, retire } from '../run/retirement.ts';
import type { Run } from '../run/run.ts';
import type { Tenant } from '../tenant/tenant.ts';
import type { Agent } from './agent.ts';
import { MAX_COUNTED, nextStart, startsBetween } from './cron.ts';
import {
  begin,
  cursorOf,
  giveUp,
  halt,
  invalidity,
  lastVerdict,
  obstacleOf,
  resume,
  settle,
  type Verdict,
} from './schedule-state.ts';
import {
  isScheduledBy,
  lastSuccess,
  outOfHistory,
  removed,
  scheduledRun,
  scheduledRunName,
  unfinished,
} from './scheduled-run.ts';

/** What was seen of what a schedule has started. */
export interface ScheduleObserved {
  /** Runs that the schedule has started. */
  readonly scheduled: readonly Run[];
  /** What bears the name of the Run that is `status.schedule.starting`, of the API server itself if no watch has it. */
  readonly starting: KubeObject | undefined;
  /** What goes before each of those Runs. */
  readonly kin?: Kinship;
  /** User name of who creates those Runs; undefined where that is not known. */
  readonly operatorUser?: string | undefined;
}

/** What is done about a schedule. */
export interface ScheduleDecision {
  /** Undefined without a schedule. */
  readonly state?: ScheduleStatus;
  readonly verdict?: Verdict;
  readonly create: readonly KubeObject[];
  readonly remove: readonly Removal[];
  readonly events: readonly PlanEvent[];
  /** When to look again, though nothing changed. */
  readonly afterMs: number;
}

/** A clock that is put forward is noticed so soon: timers do not follow it. */
const MAX_WAIT_MS = 300_000;
const NOTHING = { create: [], remove: [], events: [] };

const { Scheduled, PreviousRunActive, RunReplaced, StartMissed, StartRefused } = AGENT_SCHEDULE_REASONS;

/**
 * Decides which Run a schedule starts, at most one at a time. That it is `starting` is on record before the Run is made, and
 * stays there until it is seen: whoever comes next makes the same Run by the same name, or finds it.
 */
export function planSchedule(
  agent: Agent,
  observed: ScheduleObserved & { readonly tenant: Tenant | undefined },
  now: Date,
): ScheduleDecision {
  const { schedule } = agent.spec;
  if (schedule === undefined) return { ...NOTHING, afterMs: Infinity };
  const settled = settle(agent, begin(agent, schedule, now), observed.starting);
  const scheduled = scheduledRuns(agent, observed);
  const { operatorUser: creator } = observed;
  const verdict = invalidity(schedule, now) ?? obstacleOf(agent, { schedule, tenant: observed.tenant });
  const step: Step =
    verdict === undefined
      ? advance(resume(agent, settled, now), { agent, schedule, active: unfinished(scheduled), creator, now })
      : { state: halt(settled), verdict, afterMs: Infinity };
  const past = retire(outOfHistory(scheduled, schedule), observed.kin ?? NO_KIN);
  const isGoing = past.waits || past.remove.length > 0;
  return {
    ...NOTHING,
    ...step,
    verdict: step.verdict ?? carriedVerdict(agent, { schedule, isMade: settled !== agent.status?.schedule }),
    remove: [...(step.remove ?? []), ...past.remove],
    afterMs: Math.min(step.afterMs, isGoing ? GONE_MS : Infinity),
  };
}

/** With the Run of the start that is on record, which a watch may not have told of. */
function scheduledRuns(agent: Agent, { scheduled, starting }: ScheduleObserved): readonly Run[] {
  const isUnseen = starting !== undefined && !scheduled.some((run) => isSame(run, starting));
  return isUnseen && isScheduledBy(starting, agent) ? [...scheduled, starting as Run] : scheduled;
}

function isSame(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.uid === b.metadata.uid;
}

/** The state with what is counted, which by itself is not worth a write. */
export function countScheduled(state: ScheduleStatus, scheduled: readonly Run[]): ScheduleStatus {
  const lastSuccessfulTime = lastSuccess(scheduled, state.lastSuccessfulTime);
  const active = unfinished(scheduled).length;
  return { ...state, active, ...(lastSuccessfulTime !== undefined && { lastSuccessfulTime }) };
}

/** What becomes of a start that the API server refuses: it is missed, and the next one is tried. Undefined when there is none. */
export function planRefusedStart(
  { status }: Agent,
  why: string,
): { readonly state: ScheduleStatus; readonly verdict: Verdict; readonly event: PlanEvent } | undefined {
  const starting = status?.schedule?.starting;
  if (status?.schedule === undefined || starting === undefined) return undefined;
  const message = `Run ${starting.run}, due at ${starting.scheduledTime}, could not be created: ${why}`;
  const verdict: Verdict = { status: 'False', reason: StartRefused, message };
  return { state: giveUp(status.schedule), verdict, event: warning(StartRefused, message) };
}

/** How long nothing needs to be looked at, if the next start is due then. */
export function waitFor({ nextScheduleTime }: ScheduleStatus, now: Date): number {
  const leftMs = Date.parse(nextScheduleTime ?? '') - now.getTime();
  return leftMs > 0 ? Math.min(leftMs, MAX_WAIT_MS) : MAX_WAIT_MS;
}

type Step = Partial<Omit<ScheduleDecision, 'state' | 'afterMs'>> &
  Required<Pick<ScheduleDecision, 'state' | 'afterMs'>>;

interface Moment {
  readonly agent: Agent;
  readonly schedule: Schedule;
  readonly active: readonly Run[];
  readonly creator: string | undefined;
  readonly now: Date;
}

function advance(state: ScheduleStatus, moment: Moment): Step {
  const { schedule, active, now } = moment;
  const known = state.nextScheduleTime;
  const next = known === undefined ? nextStart(schedule, cursorOf(state)) : new Date(known);
  const ahead = withNext(state, next);
  if (next === undefined || next > now) return goOn(ahead, moment);
  // Without a deadline it does not matter how many fall due while an earlier Run goes on.
  const isPatient = schedule.startingDeadlineSeconds === undefined;
  return isPatient && isBlocked(schedule, active) ? block(ahead, moment) : whenDue(ahead, moment);
}

function whenDue(state: ScheduleStatus, moment: Moment): Step {
  const { schedule, active, now } = moment;
  const starts = startsBetween(schedule, cursorOf(state), now);
  const due = starts.at(-1);
  // The rules of a time zone have changed since it was written.
  if (due === undefined) return goOn(withNext(state, nextStart(schedule, now)), moment);
  if (lateMs(due, moment) > 0) return miss(state, starts, moment);
  if (isBlocked(schedule, active)) return block(state, moment, -lateMs(due, moment));
  const isInTheWay = schedule.concurrencyPolicy === 'Replace' && active.length > 0;
  return isInTheWay ? replace(state, moment) : start(state, { starts, due }, moment);
}

function isBlocked({ concurrencyPolicy }: Schedule, active: readonly Run[]): boolean {
  return concurrencyPolicy === 'Forbid' && active.length > 0;
}

/** Nothing new is due; what is starting may have to be made once more. */
function goOn(state: ScheduleStatus, moment: Moment): Step {
  const { agent, now } = moment;
  const { starting } = state;
  if (starting === undefined) return { state, afterMs: waitFor(state, now) };
  const due = new Date(starting.scheduledTime);
  if (lateMs(due, moment) > 0) return miss(giveUp(state), [due], moment);
  const create = [scheduledRun(agent, { ...moment, scheduledTime: starting.scheduledTime })];
  return { state, create, afterMs: waitFor(state, now) };
}

interface Due {
  readonly starts: readonly Date[];
  /** The last of them. */
  readonly due: Date;
}

function start(before: ScheduleStatus, { starts, due }: Due, moment: Moment): Step {
  const { agent, schedule, now } = moment;
  const skipped = starts.slice(0, -1);
  const state = withMissed(giveUp(before), skipped.at(-1));
  const scheduledTime = toInstant(due);
  const starting = { scheduledTime, run: scheduledRunName(agent, scheduledTime) };
  const after = withNext({ ...state, starting }, nextStart(schedule, now));
  const [first] = skipped;
  const events =
    first === undefined
      ? []
      : [warning(StartMissed, `${named(skipped)} not made in time; the one of ${scheduledTime} is made now`)];
  const create = [scheduledRun(agent, { ...moment, scheduledTime })];
  return { state: after, create, events, afterMs: waitFor(after, now) };
}

function miss(before: ScheduleStatus, starts: readonly Date[], moment: Moment): Step {
  const { schedule, active, now } = moment;
  const state = withNext(withMissed(giveUp(before), starts.at(-1)), nextStart(schedule, now));
  const why = active[0] === undefined ? '' : `, while Run ${active[0].metadata.name} had not ended`;
  const message = `${named(starts)} not made within ${schedule.startingDeadlineSeconds} seconds (spec.schedule.startingDeadlineSeconds)${why}`;
  const verdict: Verdict = { status: 'False', reason: StartMissed, message };
  return { state, verdict, events: [warning(StartMissed, message)], afterMs: waitFor(state, now) };
}

function block(state: ScheduleStatus, { active }: Moment, leftMs = Infinity): Step {
  const name = active[0]?.metadata.name ?? '';
  const message = `a start is due, and waits until Run ${name} has ended (spec.schedule.concurrencyPolicy is Forbid)`;
  const verdict: Verdict = { status: 'True', reason: PreviousRunActive, message };
  return { state, verdict, afterMs: Math.min(leftMs + 1, MAX_WAIT_MS) };
}

/** The new Run is made when the earlier ones are gone or have ended, so that they do not stand in its way. */
function replace(state: ScheduleStatus, { active }: Moment): Step {
  const going = active.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const names = going.map(({ metadata }) => metadata.name).join(', ');
  const message = `${names} deleted, since the next start is due (spec.schedule.concurrencyPolicy is Replace)`;
  const events: PlanEvent[] = going.length === 0 ? [] : [{ type: 'Normal', reason: RunReplaced, message }];
  return { state, remove: going.map(removed), events, afterMs: MAX_WAIT_MS };
}

/** By how much a start is too late; negative while it is not, and without end when nothing bounds it. */
function lateMs(due: Date, { schedule, now }: Moment): number {
  const { startingDeadlineSeconds } = schedule;
  if (startingDeadlineSeconds === undefined) return -Infinity;
  return now.getTime() - due.getTime() - startingDeadlineSeconds * 1000;
}

function carriedVerdict(
  agent: Agent,
  { schedule, isMade }: { readonly schedule: Schedule; readonly isMade: boolean },
): Verdict {
  const last = lastVerdict(agent);
  const isTrouble = last?.reason === StartMissed || last?.reason === StartRefused;
  // Told until a start is made, or somebody changes something.
  if (last !== undefined && isTrouble && !isMade && last.observedGeneration === agent.metadata.generation) {
    return { status: last.status, reason: last.reason, message: last.message };
  }
  const message = `Runs are started by ${schedule.cron}, time zone ${schedule.timeZone}`;
  return { status: 'True', reason: Scheduled, message };
}

function withNext(state: ScheduleStatus, next: Date | undefined): ScheduleStatus {
  const { nextScheduleTime: _next, ...rest } = state;
  return next === undefined ? rest : { ...rest, nextScheduleTime: toInstant(next) };
}

function withMissed(state: ScheduleStatus, missed: Date | undefined): ScheduleStatus {
  return missed === undefined ? state : { ...state, lastMissedTime: toInstant(missed) };
}

function named(starts: readonly Date[]): string {
  const [first] = starts;
  const since = first === undefined ? '' : toInstant(first);
  if (starts.length < 2) return `the start of ${since} was`;
  return `${starts.length === MAX_COUNTED ? `${MAX_COUNTED} or more` : starts.length} starts since ${since} were`;
}

function warning(reason: string, message: string): PlanEvent {
  return { type: 'Warning', reason, message };
}
