// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import { ReconcileError } from '../errors.ts';
import { NO_KIN } from '../run/retirement.ts';
import type { Run } from '../run/run.ts';
import { ago, makeAgent, NOW } from '../run/testing/make.ts';
import { planAgent, planRefused } from './plan.ts';
import { scheduledRunName } from './scheduled-run.ts';
import {
  agentOf,
  HOURLY,
  nameOf,
  NOON,
  observedOf,
  ONE,
  ranAt,
  type ScheduleCase,
} from './testing/schedule-case.ts';

test('the Run of a start says what the template says, and what tells it from others', (t) => {
  const runTemplate = {
    metadata: { labels: { team: 'a', [LABELS.agent]: 'other' }, annotations: { note: 'b' } },
    spec: { priority: 7, suspend: false, input: { inline: 'x' } },
  };
  const given: ScheduleCase = {
    schedule: { ...HOURLY, runTemplate },
    state: { nextScheduleTime: NOON },
    says: '',
  };
  const [run] = planAgent(agentOf(given), observedOf(given), NOW).create;
  t.like(run, {
    kind: 'Run',
    metadata: {
      name: nameOf(NOON),
      namespace: 'acme-dev',
      labels: { team: 'a', [LABELS.agent]: 'agent', [LABELS.scheduledBy]: 'agent-uid' },
      annotations: { note: 'b', [ANNOTATIONS.scheduledTime]: NOON },
    },
    spec: { agentRef: { name: 'agent' }, priority: 7, input: { inline: 'x' } },
  });
  t.is(run?.metadata.ownerReferences, undefined, 'it outlives its Agent');
});

const OPERATOR = 'system:serviceaccount:nexusos-system:nexusos-operator';
const DUE: ScheduleCase = { schedule: HOURLY, state: { nextScheduleTime: NOON }, says: '' };
const CREATORS: Record<string, [annotations: Record<string, string>, creator: string | undefined]> = {
  'is the operator, also where the API server does not fill it in': [{}, OPERATOR],
  'is left to the API server by an operator that does not know its name': [{}, undefined],
  'is what the template says, which the API server refuses if it is somebody else': [
    { [ANNOTATIONS.createdBy]: 'somebody' },
    'somebody',
  ],
};

for (const [name, [annotations, creator]] of Object.entries(CREATORS)) {
  test(`who created the Run of a start ${name}`, (t) => {
    const given = { ...DUE, schedule: { ...HOURLY, runTemplate: { metadata: { annotations } } } };
    const operatorUser = creator && OPERATOR;
    for (const starting of [undefined, { scheduledTime: NOON, run: nameOf(NOON) }]) {
      const state = starting === undefined ? DUE.state : { starting, nextScheduleTime: ONE };
      const agent = agentOf({ ...given, ...(state && { state }) });
      const [run] = planAgent(agent, { ...observedOf(given), operatorUser }, NOW).create;
      t.is(run?.metadata.annotations?.[ANNOTATIONS.createdBy], creator);
    }
  });
}

test('names of Runs tell starts and Agents apart, and are never too long', (t) => {
  const agent = makeAgent();
  const long = { ...agent, metadata: { ...agent.metadata, name: 'a'.repeat(63) } };
  t.is(scheduledRunName(long, NOON).length, 63);
  t.regex(nameOf(NOON), /^agent-202611211200-[0-9a-f]{8}$/);
  const other = { ...agent, metadata: { ...agent.metadata, uid: 'another' } };
  t.is(new Set([nameOf(NOON), nameOf(ONE), scheduledRunName(other, NOON)]).size, 3);
});

test('an invalid schedule stops no Run, and is told where tools look', (t) => {
  const given: ScheduleCase = { schedule: { cron: '0 0 30 2 *' }, fresh: true, says: '' };
  const plan = planAgent(agentOf(given), observedOf(given), NOW);
  const said = Object.fromEntries((plan.status.conditions ?? []).map((one) => [one.type, one]));
  t.is(said['Ready']?.status, 'True');
  t.like(said['Stalled'], { status: 'True', reason: 'InvalidSchedule' });
  const again = planAgent(
    { ...agentOf(given), status: plan.status },
    observedOf(given),
    new Date(NOW.getTime() + 6e5),
  );
  t.deepEqual(again.status, plan.status, 'and nothing is written after that');
  t.is(again.result.kind, 'done');
});

test('a schedule that is taken away leaves nothing in the status', (t) => {
  const given: ScheduleCase = { state: { nextScheduleTime: NOON }, says: '' };
  const agent = agentOf(given);
  const { schedule: _schedule, ...spec } = agent.spec;
  const { status, create } = planAgent({ ...agent, spec }, observedOf(given), NOW);
  t.is(status.schedule, undefined);
  t.false(status.conditions?.some(({ type }) => type === 'Scheduled'));
  t.deepEqual(create, []);
});

test('a start that is refused is missed, and the next one is tried', (t) => {
  const starting = { scheduledTime: NOON, run: nameOf(NOON) };
  const agent = agentOf({ state: { starting, nextScheduleTime: ONE }, says: '' });
  const plan = planRefused(agent, new ReconcileError('conflict', 'somebody has the name'), NOW);
  t.is(plan?.status.schedule?.starting, undefined);
  t.like(plan?.status.schedule, { lastMissedTime: NOON, nextScheduleTime: ONE });
  const verdict = plan?.status.conditions?.find(({ type }) => type === 'Scheduled');
  t.like(verdict, { status: 'False', reason: 'StartRefused' });
  t.regex(verdict?.message ?? '', /somebody has the name/);
  const later = planAgent(
    { ...agent, status: plan!.status },
    observedOf({ says: '' }),
    new Date(NOW.getTime() + 6e4),
  );
  t.deepEqual(later.create, []);
});

test('of the Runs that are too many none goes before it is counted, and those that it has called have gone', (t) => {
  const [newest, counted, held, above, below] = [1, 2, 3, 4, 5].map((hours) =>
    ranAt('Succeeded', ago(hours * 3600)),
  );
  const schedule = { ...HOURLY, successfulRunsHistoryLimit: 1 };
  const given: ScheduleCase = { schedule, state: { nextScheduleTime: ONE }, says: '' };
  const kin = {
    ...NO_KIN,
    isHeld: (run: Run) => run === held,
    childrenOf: (run: Run) => (run === above ? [below!] : []),
  };
  const observed = { ...observedOf({ ...given, runs: [newest!, counted!, held!, above!] }), kin };
  const { remove, result } = planAgent(agentOf(given), observed, NOW);
  t.deepEqual(
    remove.map(({ ref }) => ref.name),
    [counted, below].map((one) => one!.metadata.name),
  );
  t.like(result, { kind: 'requeueAfter', afterMs: 60_000 });
});

test('nothing is written between starts', (t) => {
  const given: ScheduleCase = { state: { lastScheduleTime: NOON }, says: '' };
  const first = planAgent(agentOf(given), observedOf(given), new Date(NOW.getTime() + 1000));
  for (const seconds of [2, 60, 1799, 3599]) {
    const agent = { ...agentOf(given), status: first.status };
    const plan = planAgent(agent, observedOf(given), new Date(NOW.getTime() + seconds * 1000));
    t.deepEqual(plan.status, first.status);
    t.deepEqual([plan.create, plan.remove, plan.events], [[], [], []]);
  }
});
