// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { MAX_METERED_PODS, type PodUse } from '#crds/v1alpha1/run-usage';
import type { Run } from '../run/run.ts';
import { settle } from '../run/settlement.ts';
import type { Member } from '../run/gang.ts';
import { ADMITTED_GANG, ended, nodeless, RUNNING_GANG } from '../run/testing/gang-cases.ts';
import { makeRun, NOW } from '../run/testing/make.ts';
import { costOf } from '../quota/estimate.ts';
import { amountsOf, formatMetered, meter } from './amounts.ts';
import { attemptOf } from './released.ts';
import { makeRate, makeUse } from './testing/make.ts';

const TRIO = makeRate({
  cpuMillicores: 500,
  maxSeconds: 60,
  pods: 3,
  gpu: { class: 'h100', count: 2, parts: 3, of: 7, multiplierPercent: 400 },
});

test('pods of a gang add up to the last micro-unit, and each counts no longer than the attempt could take', (t) => {
  const { cpuSeconds, gpuSeconds, runUnits } = formatMetered(
    meter(TRIO, [makeUse(10), makeUse(7), makeUse(3, { toolCalls: 1 })]),
  );
  t.is(cpuSeconds, '10');
  t.is(gpuSeconds, '17.142857', '20 s x 2 x 3/7, rounded once');
  t.is(runUnits, '68.671429');
  t.is(formatMetered(meter(TRIO, [makeUse(400_000), makeUse(10)])).cpuSeconds, '35');
  t.is(formatMetered(meter(TRIO, [makeUse(60), makeUse(60), makeUse(60)])).cpuSeconds, '90');
  t.is(
    costOf(TRIO, 60),
    meter(TRIO, [makeUse(60), makeUse(60), makeUse(60)]).runUnits,
    'what all its time can cost',
  );
});

function settled(run: Run, members: readonly Member[]): readonly PodUse[] {
  const { status } = settle(run, { pod: undefined, members: members.map(({ pod }) => pod), until: NOW }, NOW);
  return status?.usage?.attempts?.at(-1)?.pods ?? [];
}

test('each pod that has started counts with its own time; one that has not costs nothing', (t) => {
  const uses = settled(makeRun({}, ADMITTED_GANG), [ended(0, 0, 2), ended(1, 1, 5), nodeless(2)]);
  t.deepEqual(
    uses.map(({ uid, startedAt, finishedAt }) => [
      uid,
      (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000,
    ]),
    [
      ['pod-0', 7],
      ['pod-1', 4],
    ],
  );
});

test('one that is gone, after all were seen made, counts up to when that was seen', (t) => {
  const uses = settled(makeRun({}, RUNNING_GANG), [ended(0, 0), ended(2, 0)]);
  t.is(uses.length, 3);
  t.like(uses[2], { uid: '', basis: 'Observed' });
  t.is(settled(makeRun({}, ADMITTED_GANG), [ended(0, 0)]).length, 1, 'one that was not made costs nothing');
});

test('a gang whose Run was deleted is charged for all its pods, by the reservation that is given back', (t) => {
  const rate = makeRate({ cpuMillicores: 1000, pods: 3 });
  const run = makeRun({}, { ...RUNNING_GANG, usage: { open: { rate, reservation: 7 } } });
  const members = [ended(0, 143), ended(1, 143), ended(2, 0)].map(({ pod }) => pod);
  const reservation = {
    uid: 'run-uid',
    namespace: 'acme-dev',
    name: 'r',
    agent: 'agent',
    attempt: 1,
    pods: 3,
  };
  const found = attemptOf({ ...reservation, serial: 7 }, { run, pod: undefined, members }, NOW);
  t.is(found?.pods.length, 3);
  t.is(found && formatMetered(amountsOf(found)).cpuSeconds, '21');
});

test('a Run of many attempts of many pods stays small: the last attempts are kept, and always the last one', (t) => {
  const big = { ...RUNNING_GANG, gang: { ...RUNNING_GANG.gang!, pods: 64 } };
  let run = makeRun({}, big);
  for (let attempt = 1; attempt <= 6; attempt += 1) {
    const members = Array.from({ length: 64 }, (_, index) => ended(index, 0).pod);
    run = makeRun(
      {},
      {
        ...big,
        attempt,
        usage: { ...run.status?.usage, open: { rate: makeRate({ cpuMillicores: 1000, pods: 64 }) } },
      },
    );
    run = settle(run, { pod: undefined, members, until: NOW }, NOW);
  }
  const { attempts = [], total } = run.status?.usage ?? {};
  t.deepEqual(
    attempts.map(({ attempt }) => attempt),
    [5, 6],
  );
  t.is(
    attempts.reduce((sum, { pods }) => sum + pods.length, 0),
    MAX_METERED_PODS,
  );
  t.is(total?.cpuSeconds, String(6 * 64 * 7), 'the total has all');
  t.true(JSON.stringify(run.status).length < 40_000);
});
