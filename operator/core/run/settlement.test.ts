// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunStatus } from '#crds/v1alpha1/run';
import { MAX_METERED_ATTEMPTS, type PodUse, runUsage, type RunUsage } from '#crds/v1alpha1/run-usage';
import { makeRate } from '../metering/testing/make.ts';
import type { KubeObject } from '../object.ts';
import type { Run } from './run.ts';
import { settle } from './settlement.ts';
import { ago, makePod, makeRun, NOW } from './testing/make.ts';
import { RUNNING } from './testing/plan-cases.ts';

const RATE = makeRate({ cpuMillicores: 1000 });
const OPEN: RunStatus = { ...RUNNING, usage: { open: { rate: RATE } } };

const ended = makePod(
  {
    terminated: {
      exitCode: 0,
      startedAt: ago(60),
      finishedAt: ago(20),
      message: '{"usage":{"toolCalls":2}}',
    },
  },
  { phase: 'Succeeded' },
);
const boasting = makePod(
  {
    terminated: {
      exitCode: 0,
      startedAt: ago(60),
      finishedAt: ago(20),
      message: '{"usage":{"toolCalls":1000000000000,"sandboxCalls":1000000000000}}',
    },
  },
  { phase: 'Succeeded' },
);
const LOST = [{ type: 'DisruptionTarget', status: 'True', lastTransitionTime: ago(30) }];
const lost = named(
  'lost',
  makePod({ running: { startedAt: ago(60) } }, { phase: 'Failed', conditions: LOST }),
);
const silent = makePod({ running: { startedAt: ago(60) } }, { phase: 'Failed' });
const neverStarted = makePod({ waiting: { reason: 'ErrImagePull' } }, { phase: 'Failed' });
const unknown = makePod(
  { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown', startedAt: null, finishedAt: null } },
  { phase: 'Failed' },
);
const forced = makePod(
  { running: { startedAt: ago(60) } },
  {},
  { deletionTimestamp: ago(15), deletionGracePeriodSeconds: 0 },
);

function named(uid: string, pod: KubeObject): KubeObject {
  return { ...pod, metadata: { ...pod.metadata, uid } };
}

function use(uid: string, from: number, to: number): PodUse {
  return { uid, startedAt: ago(from), finishedAt: ago(to), basis: 'Observed' };
}

function told(uid: string, from: number, to: number): PodUse {
  return { ...use(uid, from, to), basis: 'ContainerStatus' };
}

const ENDED = { ...told('pod-uid', 60, 20), reported: { toolCalls: 2 } };

const cases: Record<
  string,
  {
    readonly status?: Partial<RunStatus>;
    readonly pod?: KubeObject;
    readonly want: readonly PodUse[];
    readonly wantUnits: string;
  }
> = {
  'its container says when it ended': {
    pod: ended,
    want: [ENDED],
    wantUnits: '40.2',
  },
  'its container reports more than its time allows': {
    pod: boasting,
    want: [{ ...ENDED, reported: { toolCalls: 4100, sandboxCalls: 4100 } }],
    wantUnits: '1270',
  },
  'its container never started': { pod: neverStarted, want: [], wantUnits: '0' },
  'its container is not known to have started': { pod: unknown, want: [], wantUnits: '0' },
  'nothing is left, and nothing ran': { want: [], wantUnits: '0' },
  'its pod is gone, and was seen to run': {
    status: { startedAt: ago(50) },
    want: [use('', 50, 0)],
    wantUnits: '50',
  },
  'its node was lost: up to when that was told': {
    pod: lost,
    want: [use('lost', 60, 30)],
    wantUnits: '30',
  },
  'its pod does not say when it ended': { pod: silent, want: [use('pod-uid', 60, 0)], wantUnits: '60' },
  'its pod was deleted by force: up to when it was to have ended': {
    pod: forced,
    want: [use('pod-uid', 60, 15)],
    wantUnits: '45',
  },
  'its pod tells nothing, and was seen to run': {
    status: { startedAt: ago(50) },
    pod: unknown,
    want: [use('', 50, 0)],
    wantUnits: '50',
  },
};

for (const [name, { status, pod, want, wantUnits }] of Object.entries(cases)) {
  const usage = { open: { rate: RATE } };
  const run = makeRun({}, { ...OPEN, ...status, usage });
  test(`settled: ${name}`, (t) => {
    const after = usageOf(settle(run, { pod, until: NOW }, NOW));
    const [attempt] = after.attempts ?? [];
    t.deepEqual(attempt?.pods, [...want]);
    t.like(attempt, { attempt: 1, settledAt: ago(0), rate: RATE, runUnits: wantUnits });
    t.like(after, { open: undefined, total: { runUnits: wantUnits } });
    t.true(runUsage.safeParse(after).success);
  });
}

function usageOf({ status }: Run): RunUsage {
  return status?.usage ?? {};
}

test('an attempt is settled once: there is nothing open afterwards', (t) => {
  const end = { pod: ended, until: NOW };
  const once = settle(makeRun({}, OPEN), end, NOW);
  t.is(settle(once, end, NOW), once);
});

test('attempts add up in the total, the last of them are told, and so is what all reported', (t) => {
  let run = makeRun({}, OPEN);
  const many = MAX_METERED_ATTEMPTS + 3;
  for (let attempt = 1; attempt <= many; attempt += 1) {
    const open = { ...run.status?.usage, open: { rate: RATE } };
    run = settle(makeRun({}, { ...OPEN, attempt, usage: open }), { pod: ended, until: NOW }, NOW);
  }
  const { attempts = [], total, reported } = usageOf(run);
  t.deepEqual(
    attempts.map((one) => one.attempt),
    [4, 5, 6, 7, 8, 9, 10, 11],
  );
  t.is(total?.runUnits, '442.2');
  t.deepEqual(reported, { toolCalls: 2 * many });
});
