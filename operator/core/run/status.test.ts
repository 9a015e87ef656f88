// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { RUN, RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import { findCondition } from '../conditions.ts';
import { formatMetered, meter } from '../metering/amounts.ts';
import { rateOf } from '../metering/rate.ts';
import { makeRate, makeUse } from '../metering/testing/make.ts';
import type { Run } from './run.ts';
import { admittedStatus, finishedStatus, queuedStatus } from './status.ts';
import { ago, makeAgent, makeRun, NOW } from './testing/make.ts';

function at(version: string, status?: RunStatus): Run {
  const run = makeRun({}, status);
  return { ...run, metadata: { ...run.metadata, resourceVersion: version } };
}

const queued = (run: Run): RunStatus =>
  queuedStatus(run, { position: 1, reason: RUN_REASONS.SessionBusy, message: 'it waits' }, NOW);

function admitted(run: Run): RunStatus {
  const resources = { requests: {}, limits: {} };
  const rate = rateOf({ agent: makeAgent().spec, resources, timeoutSeconds: 60 });
  const madeFrom = { revision: { name: 'agent-1', number: 1 } };
  return admittedStatus(run, { attempt: 1, childName: 'r-1', ...madeFrom, rate }, NOW);
}

const CASES: Readonly<Record<string, { readonly status: RunStatus; readonly want: number }>> = {
  'a Run that waits keeps the version that it came with': { status: queued(at('7')), want: 7 },
  'one that starts at once does, too': { status: admitted(at('7')), want: 7 },
  'later versions change nothing of that': { status: admitted(at('9', queued(at('7')))), want: 7 },
  'nor does its way back to the queue': { status: queued(at('12', admitted(at('7')))), want: 7 },
};

for (const [title, { status, want }] of Object.entries(CASES)) {
  test(title, (t) => t.is(status.arrival, want));
}

const typesOf = ({ conditions = [] }: RunStatus): readonly string[] => conditions.map(({ type }) => type);

test('a thing is said once: what is not so yet, and of which generation conditions speak, is not said by each of them', (t) => {
  const waits = queued(at('7'));
  t.deepEqual(typesOf(waits), ['Admitted', 'Ready']);
  const starts = admitted(at('9', waits));
  t.deepEqual(typesOf(starts), ['Admitted', 'Ready']);
  const ending = { phase: 'Succeeded', reason: RUN_REASONS.Succeeded, message: 'it ended well' } as const;
  const over = finishedStatus(at('12', starts), ending, NOW);
  t.deepEqual(typesOf(over), ['Admitted', 'Finished', 'Ready']);
  for (const { conditions = [], observedGeneration } of [waits, starts, over]) {
    t.is(observedGeneration, 1);
    t.true(conditions.every((one) => !('observedGeneration' in one)));
  }
});

/** How many texts, numbers and the like there are in what the API server takes apart at each write. */
function valuesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, one) => sum + valuesIn(one), 0);
}

test('a Run that has simply succeeded says no more than it has to', (t) => {
  const before = admitted(at('7'));
  const pods = [makeUse(3)];
  const { rate, reservation = 7 } = before.usage!.open!;
  const attempt = { attempt: 1, settledAt: ago(0), reservation, rate, pods, runUnits: '0.01' };
  const total = formatMetered(meter(rate, pods));
  const run = at('9', { ...before, usage: { attempts: [attempt], total } });
  const cause = { reason: RUN_REASONS.Succeeded, message: 'it ended well' };
  const status = finishedStatus(run, { phase: 'Succeeded', ...cause, startedAt: ago(3) }, NOW);
  t.true(RUN.status.safeParse(status).success);
  t.true(valuesIn(status) <= 43, `${valuesIn(status)} values: ${JSON.stringify(status)}`);
});

test('that a place is held is told where Kueue decides after that, from then on and until the way back to the queue', (t) => {
  const facts = {
    attempt: 1,
    childName: 'r-1',
    revision: { name: 'agent-1', number: 1 },
    rate: makeRate(),
    waits: true,
  };
  const waits = admittedStatus(makeRun(), facts, new Date(NOW.getTime() - 9000));
  t.deepEqual(typesOf(waits), ['Admitted', 'QuotaReserved', 'Ready']);
  const later = admittedStatus(makeRun({}, waits), facts, NOW);
  t.is(findCondition(later.conditions ?? [], 'QuotaReserved')?.lastTransitionTime, ago(9));
  t.deepEqual(typesOf(queued(at('9', waits))), ['Admitted', 'Ready']);
});
