// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import type { ScheduleStatus } from '#crds/v1alpha1/agent-schedule';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import { ago, NOW } from '../run/testing/make.ts';
import { planAgent } from './plan.ts';
import {
  agentOf,
  ELEVEN,
  HOURLY,
  nameOf,
  NOON,
  observedOf,
  ONE,
  ranAt,
  type ScheduleCase,
} from './testing/schedule-case.ts';

type AgentPlan = ReturnType<typeof planAgent>;

const held = (reason: string) => ({ reason, status: 'False' }) as const;
const deadline = { ...HOURLY, startingDeadlineSeconds: 60 };

const cases: Record<string, ScheduleCase> = {
  'a start that is due': {
    state: { lastScheduleTime: ELEVEN, nextScheduleTime: NOON },
    starts: NOON,
    says: 'Scheduled',
    want: {
      starting: { scheduledTime: NOON, run: nameOf(NOON) },
      nextScheduleTime: ONE,
      lastScheduleTime: ELEVEN,
    },
    events: [],
    againSeconds: 300,
  },
  'a moment before it is due': {
    state: { lastScheduleTime: ELEVEN, nextScheduleTime: NOON },
    at: -1,
    says: 'Scheduled',
    want: { nextScheduleTime: NOON },
    againSeconds: 1,
  },
  'a start on record whose Run is not there': {
    state: { starting: { scheduledTime: NOON, run: nameOf(NOON) }, nextScheduleTime: ONE },
    at: 5,
    starts: NOON,
    says: 'Scheduled',
    want: { starting: { scheduledTime: NOON, run: nameOf(NOON) }, lastScheduleTime: undefined },
  },
  'a start on record whose Run is there': {
    state: { starting: { scheduledTime: NOON, run: nameOf(NOON) }, nextScheduleTime: ONE },
    at: 5,
    seen: 'ours',
    says: 'Scheduled',
    want: { starting: undefined, lastScheduleTime: NOON, lastRun: { name: nameOf(NOON), uid: 'seen-uid' } },
  },
  'a start on record whose name somebody else has taken is tried, and refused by the runtime': {
    state: { starting: { scheduledTime: NOON, run: nameOf(NOON) }, nextScheduleTime: ONE },
    seen: 'foreign',
    starts: NOON,
    says: 'Scheduled',
    want: { lastScheduleTime: undefined },
  },
  'a start on record that is too late now': {
    schedule: deadline,
    state: { starting: { scheduledTime: NOON, run: nameOf(NOON) }, nextScheduleTime: ONE },
    at: 61,
    says: 'StartMissed',
    want: { starting: undefined, lastMissedTime: NOON },
    events: [/the start of 2026-11-21T12:00:00Z was not made within 60 seconds/],
  },
  'a start on record that could not be made until the next one is due': {
    state: { starting: { scheduledTime: ELEVEN, run: nameOf(ELEVEN) }, nextScheduleTime: NOON },
    starts: NOON,
    says: 'Scheduled',
    want: { lastMissedTime: ELEVEN },
  },
  'an operator that was down for hours makes one start, and says how many it did not make': {
    state: { lastScheduleTime: ago(6 * 3600), nextScheduleTime: ago(5 * 3600) },
    at: 1800,
    starts: NOON,
    says: 'Scheduled',
    want: { nextScheduleTime: ONE, lastMissedTime: ELEVEN },
    events: [
      /5 starts since 2026-11-21T07:00:00Z were not made in time; the one of 2026-11-21T12:00:00Z is made now/,
    ],
  },
  'the same within the deadline': {
    schedule: deadline,
    state: { lastScheduleTime: ago(6 * 3600), nextScheduleTime: ago(5 * 3600) },
    at: 60,
    starts: NOON,
    says: 'Scheduled',
  },
  'the same beyond the deadline': {
    schedule: deadline,
    state: { lastScheduleTime: ago(6 * 3600), nextScheduleTime: ago(5 * 3600) },
    at: 61,
    says: 'StartMissed',
    want: { nextScheduleTime: ONE, lastMissedTime: NOON, lastScheduleTime: ago(6 * 3600) },
    events: [/6 starts since .*startingDeadlineSeconds/],
  },
  'what was missed is told until the next start': {
    state: { lastMissedTime: NOON, nextScheduleTime: ONE },
    verdict: held('StartMissed'),
    at: 600,
    says: 'StartMissed',
    events: [],
  },
  'Forbid waits for the earlier Run, whatever falls due meanwhile': {
    state: { lastScheduleTime: ago(7200), nextScheduleTime: ELEVEN },
    runs: [ranAt('Running', ago(7200))],
    says: 'PreviousRunActive',
    message: /waits until Run agent-\d+-[0-9a-f]+ has ended/,
    want: { nextScheduleTime: ELEVEN, lastScheduleTime: ago(7200) },
    againSeconds: 300,
  },
  'Forbid starts once when the earlier Run has ended': {
    state: { lastScheduleTime: ago(3 * 3600), nextScheduleTime: ago(2 * 3600) },
    runs: [ranAt('Succeeded', ago(3 * 3600))],
    verdict: { reason: 'PreviousRunActive', status: 'True' },
    at: 900,
    starts: NOON,
    says: 'Scheduled',
  },
  'Forbid misses the start when its deadline goes by': {
    schedule: deadline,
    state: { lastScheduleTime: ELEVEN, nextScheduleTime: NOON },
    runs: [ranAt('Running', ELEVEN)],
    at: 61,
    says: 'StartMissed',
    message: /while Run agent-202611211100-[0-9a-f]+ had not ended/,
    want: { nextScheduleTime: ONE },
  },
  'Forbid looks again at the deadline': {
    schedule: deadline,
    state: { lastScheduleTime: ELEVEN, nextScheduleTime: NOON },
    runs: [ranAt('Queued', ELEVEN)],
    at: 10,
    says: 'PreviousRunActive',
    againSeconds: 50.001,
  },
  'Allow starts beside the earlier Run': {
    schedule: { ...HOURLY, concurrencyPolicy: 'Allow' },
    state: { lastScheduleTime: ELEVEN, nextScheduleTime: NOON },
    runs: [ranAt('Running', ELEVEN)],
    starts: NOON,
    says: 'Scheduled',
  },
  'Replace deletes the earlier Run first': {
    schedule: { ...HOURLY, concurrencyPolicy: 'Replace' },
    state: { lastScheduleTime: ELEVEN, nextScheduleTime: NOON },
    runs: [ranAt('Running', ELEVEN)],
    removes: [nameOf(ELEVEN)],
    says: 'Scheduled',
    want: { nextScheduleTime: NOON },
    events: [/agent-202611211100-[0-9a-f]+ deleted/],
  },
  'Replace starts when the earlier Run is gone': {
    schedule: { ...HOURLY, concurrencyPolicy: 'Replace' },
    state: { lastScheduleTime: ELEVEN, nextScheduleTime: NOON },
    at: 2,
    starts: NOON,
    says: 'Scheduled',
  },
  'suspended: nothing starts': {
    schedule: { ...HOURLY, suspend: true },
    state: { nextScheduleTime: NOON },
    says: 'ScheduleSuspended',
    want: { nextScheduleTime: undefined },
  },
  'suspended while a start could not be made: it is not made any more': {
    schedule: { ...HOURLY, suspend: true },
    state: { starting: { scheduledTime: NOON, run: nameOf(NOON) }, nextScheduleTime: ONE },
    says: 'ScheduleSuspended',
    want: { starting: undefined, lastMissedTime: NOON },
  },
  'resumed: nothing is made up for': {
    state: { lastScheduleTime: ago(5 * 3600) },
    verdict: held('ScheduleSuspended'),
    at: 60,
    says: 'Scheduled',
    want: { since: ago(-60), nextScheduleTime: ONE },
  },
  'a suspended tenant': {
    tenant: { suspended: true },
    state: { nextScheduleTime: NOON },
    says: 'TenantSuspended',
    message: /tenant acme is suspended .* not made up for/,
  },
  'no tenant': { tenant: null, state: { nextScheduleTime: NOON }, says: 'TenantNotFound' },
  'an Agent that was deleted': { isDeleted: true, state: { nextScheduleTime: NOON }, says: 'Terminating' },
  'a new schedule of an Agent that is old starts at its next time': {
    fresh: true,
    generation: 2,
    createdSecondsAgo: 86_400,
    at: 60,
    says: 'Scheduled',
    want: { since: ago(-60), nextScheduleTime: ONE },
  },
  'a schedule that was there from the beginning, and nobody looked': {
    fresh: true,
    createdSecondsAgo: 1800,
    at: 60,
    starts: NOON,
    says: 'Scheduled',
  },
  'a changed schedule makes up for nothing': {
    schedule: { cron: '30 * * * *' },
    state: { lastScheduleTime: ago(5 * 3600), nextScheduleTime: NOON },
    generation: 2,
    at: 60,
    says: 'Scheduled',
    want: {
      cron: '30 * * * *',
      since: ago(-60),
      nextScheduleTime: ago(-1800),
      lastScheduleTime: ago(5 * 3600),
    },
  },
  'a clock that goes back does not start the same twice': {
    state: { lastScheduleTime: NOON, nextScheduleTime: ONE },
    at: -1200,
    says: 'Scheduled',
    want: { lastScheduleTime: NOON, nextScheduleTime: ONE },
  },
  'a clock that was a year ahead does not hold up the schedule for a year': {
    state: { lastScheduleTime: '2027-11-21T12:00:00Z', nextScheduleTime: '2027-11-21T13:00:00Z' },
    at: 60,
    says: 'Scheduled',
    want: { since: ago(-60), lastScheduleTime: undefined, nextScheduleTime: ONE },
  },
  'a clock that goes forward starts once': {
    state: { lastScheduleTime: ELEVEN, nextScheduleTime: NOON },
    at: 86_400,
    starts: '2026-11-22T12:00:00Z',
    says: 'Scheduled',
  },
  'a cron line that cannot be read': {
    schedule: { cron: '5-1 * * * *' },
    fresh: true,
    says: 'InvalidSchedule',
    message: /spec\.schedule\.cron: found 5-1/,
  },
  'a time zone that there is not': {
    schedule: { ...HOURLY, timeZone: 'Mars/Olympus' },
    fresh: true,
    says: 'InvalidSchedule',
    message: /spec\.schedule\.timeZone: found Mars\/Olympus/,
  },
  'history beyond its limits': {
    schedule: { ...HOURLY, successfulRunsHistoryLimit: 1, failedRunsHistoryLimit: 0 },
    state: { nextScheduleTime: ONE },
    runs: [
      ranAt('Succeeded', ago(7200)),
      ranAt('Succeeded', ago(10_800)),
      ranAt('Failed', ago(14_400)),
      ranAt('Cancelled', ago(18_000)),
      ranAt('Running', ago(21_600)),
    ],
    removes: [nameOf(ago(10_800)), nameOf(ago(14_400)), nameOf(ago(18_000))],
    says: 'Scheduled',
  },
};

test('that an earlier Run was deleted for the next is an Event of its own', (t) => {
  const given = cases['Replace deletes the earlier Run first']!;
  const { events } = planAgent(agentOf(given), observedOf(given), NOW);
  t.deepEqual(
    events.map(({ type, reason }) => [type, reason]),
    [['Normal', 'RunReplaced']],
  );
});

for (const [name, given] of Object.entries(cases)) {
  test(name, (t) => {
    const { at = 0, starts, removes = [], says, message = /^/ } = given;
    const plan = planAgent(agentOf(given), observedOf(given), new Date(NOW.getTime() + at * 1000));
    const verdict = plan.status.conditions?.find(({ type }) => type === 'Scheduled');
    t.is(verdict?.reason, says);
    t.regex(verdict?.message ?? '', message);
    const due = plan.create.map(({ metadata }) => metadata.annotations?.[ANNOTATIONS.scheduledTime]);
    t.deepEqual(due, starts === undefined ? [] : [starts]);
    t.deepEqual(
      plan.remove.map(({ ref }) => ref.name),
      [...removes],
    );
    isTold(t, given, plan);
  });
}

function isTold(t: ExecutionContext, given: ScheduleCase, { status, events, result }: AgentPlan): void {
  for (const [field, value] of Object.entries(given.want ?? {})) {
    t.deepEqual(status.schedule?.[field as keyof ScheduleStatus], value, field);
  }
  if (given.events !== undefined) t.is(events.length, given.events.length, JSON.stringify(events));
  for (const [i, one] of (given.events ?? []).entries()) t.regex(events[i]?.message ?? '', one);
  if (given.againSeconds !== undefined) t.like(result, { afterMs: given.againSeconds * 1000 });
}
