// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import { agent, FOREVER, phase, type Run, run, waits, world, type World } from '../run-world.ts';

/** Falls due while no test runs, and has fallen due in every year before. */
const YEARLY = { cron: '0 0 1 1 *', timeZone: 'Europe/Berlin' };
const THIS_YEAR = new Date().getUTCFullYear();
const DUE = `${THIS_YEAR - 1}-12-31T23:00:00Z`;

interface Agent {
  readonly metadata: { readonly uid: string };
  readonly status?: {
    readonly schedule?: {
      readonly lastRun?: { readonly name: string };
      readonly lastScheduleTime?: string;
      readonly lastMissedTime?: string;
      readonly nextScheduleTime?: string;
      readonly active?: number;
    };
  };
}

/** Has the Agent be one that was last looked at years ago: what fell due since then was missed. */
function wasAway({ user, namespace }: World): Promise<string> {
  const schedule = {
    since: `${THIS_YEAR - 3}-06-01T00:00:00Z`,
    lastScheduleTime: null,
    lastMissedTime: null,
    nextScheduleTime: null,
  };
  const patch = JSON.stringify({ status: { schedule } });
  return user.does([
    'patch',
    'agent',
    'worker',
    '-n',
    namespace,
    '--subresource=status',
    '--type=merge',
    '-p',
    patch,
  ]);
}

async function scheduleOf({ user, namespace }: World) {
  return (await user.sees<Agent>('-n', namespace, 'agent/worker'))?.status?.schedule;
}

/** Waits until the condition Scheduled says `reason`; returns the message with it. */
async function says({ user, namespace }: World, reason: string): Promise<string> {
  const found = await eventually(`the schedule says ${reason}`, async () => {
    const verdict = await user.condition('Scheduled', '-n', namespace, 'agent/worker');
    return verdict?.reason === reason ? verdict : undefined;
  });
  return found.message;
}

async function scheduledRuns({
  user,
  namespace,
}: World): Promise<readonly (Run & { readonly metadata: Marked })[]> {
  const list = await user.sees<{ readonly items: readonly (Run & { readonly metadata: Marked })[] }>(
    'runs',
    '-n',
    namespace,
    '-l',
    'nexusos.dev/agent=worker',
  );
  return list?.items ?? [];
}

interface Marked {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

test('a start that was missed is made at once, once, and is a Run like any other', async (t) => {
  const runTemplate = { metadata: { labels: { team: 'reports' } }, spec: { priority: 5 } };
  const place = await world(t, 'clockwork', { worker: { schedule: { ...YEARLY, runTemplate } } });
  const { user, namespace } = place;
  t.regex(await says(place, 'Scheduled'), /0 0 1 1 \*, time zone Europe\/Berlin/);
  t.is((await scheduleOf(place))?.nextScheduleTime, `${THIS_YEAR}-12-31T23:00:00Z`);
  t.deepEqual(await scheduledRuns(place), [], 'a new schedule makes up for nothing');
  await wasAway(place);
  await eventually('its Run has succeeded, and the Agent knows', async () => {
    const seen = await scheduleOf(place);
    return (
      seen?.lastScheduleTime === DUE &&
      seen.active === 0 &&
      (await scheduledRuns(place))[0]?.status?.phase === 'Succeeded'
    );
  });
  const runs = await scheduledRuns(place);
  t.is(runs.length, 1);
  t.is(runs[0]?.metadata.annotations?.['nexusos.dev/scheduled-time'], DUE);
  const creator = runs[0]?.metadata.annotations?.['nexusos.dev/created-by'] ?? '';
  t.regex(creator, /^system:serviceaccount:[^:]+:[^:]+$/, 'the operator, by its own name');
  t.like(runs[0], { metadata: { labels: { team: 'reports' } }, spec: { priority: 5 } });
  const { lastRun, lastMissedTime } = (await scheduleOf(place)) ?? {};
  t.is(lastRun?.name, runs[0]?.metadata.name);
  t.is(lastMissedTime, `${THIS_YEAR - 2}-12-31T23:00:00Z`, 'the ones before it are not made');
  const wide = await user.does(['get', 'agents', '-n', namespace, '-o', 'wide']);
  t.regex(wide, /SCHEDULE +LAST START +NEXT START/);
  const events = await eventually('the Agent tells of those', async () => {
    const text = await user.does(['get', 'events', '-n', namespace, '--field-selector=reason=StartMissed']);
    return text.includes('made now') ? text : undefined;
  });
  t.regex(events, /starts? .* not made in time/);
});

test('a start waits for the Run of the one before, which outlives the Agent', async (t) => {
  const runTemplate = { metadata: FOREVER };
  const place = await world(t, 'overlap', { worker: { schedule: { ...YEARLY, runTemplate } } });
  const { user, namespace } = place;
  await says(place, 'Scheduled');
  await wasAway(place);
  await eventually(
    'the first one runs',
    async () => (await scheduledRuns(place))[0]?.status?.phase === 'Running',
  );
  await eventually('the Agent knows', async () => (await scheduleOf(place))?.lastRun !== undefined);
  await wasAway(place);
  t.regex(
    await says(place, 'PreviousRunActive'),
    /waits until Run worker-\d{12}-[0-9a-f]{8} has ended .*Forbid/,
  );
  t.is((await scheduledRuns(place)).length, 1);
  await user.does(['delete', 'agent', 'worker', '-n', namespace]);
  t.is((await scheduledRuns(place))[0]?.status?.phase, 'Running');
});

test('a Run of a schedule is turned away from a full queue like any other', async (t) => {
  const place = await world(t, 'crowded', {
    tenant: { quotas: { runs: { maxConcurrent: 0, maxQueued: 1 } } },
    worker: { schedule: YEARLY },
  });
  const { user, namespace } = place;
  await says(place, 'Scheduled');
  await user.applies(run(namespace, 'first'));
  await waits(place, 'first', 'ConcurrencyExceeded');
  await wasAway(place);
  await eventually(
    'its Run has failed',
    async () => (await scheduledRuns(place))[0]?.status?.phase === 'Failed',
  );
  const [only] = await scheduledRuns(place);
  t.is(only?.status?.error?.code, 'quota_exceeded');
  t.regex(only?.status?.error?.message ?? '', /quotas\.runs\.maxQueued/);
  t.is(await phase(place, 'first'), 'Queued');
});

test('nothing is started while the schedule or the tenant is suspended, nor made up for', async (t) => {
  const place = await world(t, 'pausing', { worker: { schedule: { ...YEARLY, suspend: true } } });
  const { user, namespace } = place;
  t.regex(await says(place, 'ScheduleSuspended'), /spec\.schedule\.suspend/);
  const suspend = (suspended: boolean) =>
    user.does(['patch', 'tenant', 'pausing', '--type=merge', '-p', JSON.stringify({ spec: { suspended } })]);
  await suspend(true);
  await user.applies(agent(namespace, { schedule: YEARLY }));
  t.regex(await says(place, 'TenantSuspended'), /tenant pausing is suspended/);
  await wasAway(place);
  await suspend(false);
  await says(place, 'Scheduled');
  t.is((await scheduleOf(place))?.nextScheduleTime, `${THIS_YEAR}-12-31T23:00:00Z`);
  t.deepEqual(await scheduledRuns(place), []);
});

test('a schedule that cannot be read is told, and its Agent works', async (t) => {
  const place = await world(t, 'unreadable');
  const { user, namespace } = place;
  for (const [schedule, found] of [
    [{ cron: '0 0 30 2 *' }, /spec\.schedule\.cron: found 0 0 30 2 \*, which never falls due/],
    [{ cron: '@daily', timeZone: 'Mars/Olympus' }, /spec\.schedule\.timeZone: found Mars\/Olympus; .*IANA/],
  ] as const) {
    await user.applies(agent(namespace, { schedule }));
    await eventually(`it says ${found}`, async () => {
      const verdict = await user.condition('Scheduled', '-n', namespace, 'agent/worker');
      return verdict?.reason === 'InvalidSchedule' && found.test(verdict.message);
    });
  }
  t.is((await user.condition('Ready', '-n', namespace, 'agent/worker'))?.status, 'True');
  t.is((await user.condition('Stalled', '-n', namespace, 'agent/worker'))?.status, 'True');
});

/** What users may not write, and a word of the refusal. */
const refused: Readonly<Record<string, readonly [object, RegExp]>> = {
  'six fields': [{ cron: '0 * * * * *' }, /five fields/],
  'a minute that there is not': [{ cron: '60 * * * *' }, /minute 0-59/],
  'a time zone in the line': [{ cron: 'TZ=UTC 0 0 * * *' }, /timeZone/],
  'a label that says whose a Run is': [
    { cron: '@daily', runTemplate: { metadata: { labels: { 'nexusos.dev/tenant': 'other' } } } },
    /set by NexusOS alone/,
  ],
};

test('what no schedule can be is refused at once', async (t) => {
  const { user, namespace } = await world(t, 'refusing');
  for (const [title, [schedule, why]] of Object.entries(refused)) {
    const said = await user.tries(['apply', '-f', '-'], JSON.stringify(agent(namespace, { schedule })));
    t.false(said.ok, title);
    t.regex(said.text, why, title);
  }
});
