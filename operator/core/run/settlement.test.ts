// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunStatus } from '#crds/v1alpha1/run';
import {
  MAX_METERED_ATTEMPTS,
  MAX_POD_USES,
  type PodUse,
  runUsage,
  type RunUsage,
} from '#crds/v1alpha1/run-usage';
import { makeRate } from '../metering/testing/make.ts';
import type { KubeObject } from '../object.ts';
import type { Run } from './run.ts';
import { notePods, settle } from './settlement.ts';
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
const ofLastAttempt = {
  ...ended,
  metadata: {
    ...ended.metadata,
    ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'r-x-0', uid: 'j' }],
  },
};

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
    readonly noted?: PodUse[];
    readonly pods: readonly KubeObject[];
    readonly want: readonly PodUse[];
    readonly wantUnits: string;
  }
> = {
  'its container says when it ended': {
    pods: [ended],
    want: [ENDED],
    wantUnits: '40.2',
  },
  'its container reports more than its time allows': {
    pods: [boasting],
    want: [{ ...ENDED, reported: { toolCalls: 4100, sandboxCalls: 4100 } }],
    wantUnits: '1270',
  },
  'its container never started': { pods: [neverStarted], want: [], wantUnits: '0' },
  'its container is not known to have started': { pods: [unknown], want: [], wantUnits: '0' },
  'nothing is left, and nothing ran': { pods: [], want: [], wantUnits: '0' },
  'its pod is gone, and was seen to run': {
    status: { startedAt: ago(50) },
    pods: [],
    want: [use('', 50, 0)],
    wantUnits: '50',
  },
  'its node was lost: up to when that was told': {
    pods: [lost],
    want: [use('lost', 60, 30)],
    wantUnits: '30',
  },
  'its pod does not say when it ended': { pods: [silent], want: [use('pod-uid', 60, 0)], wantUnits: '60' },
  'the pod of an attempt that was settled before': { pods: [ofLastAttempt], want: [], wantUnits: '0' },
  'a pod was lost and another one took over': {
    pods: [named('second', makePod({ terminated: { startedAt: ago(20), finishedAt: ago(10) } })), lost],
    want: [use('lost', 60, 30), told('second', 20, 10)],
    wantUnits: '40',
  },
  'what was noted counts when its pod is gone, and once when it is not': {
    noted: [use('lost', 60, 30), told('gone', 80, 70)],
    pods: [lost, ended],
    want: [told('gone', 80, 70), use('lost', 60, 30), ENDED],
    wantUnits: '80.2',
  },
  'a pod that was replaced before it was seen to end counts up to the next one': {
    status: { startedAt: ago(90) },
    pods: [ended],
    want: [use('', 90, 60), ENDED],
    wantUnits: '70.2',
  },
  'what its container says is better than what was seen': {
    noted: [use('pod-uid', 60, 5)],
    pods: [ended],
    want: [ENDED],
    wantUnits: '40.2',
  },
};

for (const [name, { status, noted, pods, want, wantUnits }] of Object.entries(cases)) {
  const usage = { open: { rate: RATE, ...(noted !== undefined && { pods: noted }) } };
  const run = makeRun({}, { ...OPEN, ...status, usage });
  test(`settled: ${name}`, (t) => {
    const after = usageOf(settle(run, { pods, until: NOW }, NOW));
    const [attempt] = after.attempts ?? [];
    t.deepEqual(attempt?.pods, [...want]);
    t.like(attempt, { attempt: 1, settledAt: ago(0), rate: RATE, amounts: { runUnits: wantUnits } });
    t.like(after, { open: undefined, total: { runUnits: wantUnits } });
    t.true(runUsage.safeParse(after).success);
  });
}

function usageOf({ status }: Run): RunUsage {
  return status?.usage ?? {};
}

test('an attempt is settled once: there is nothing open afterwards', (t) => {
  const end = { pods: [ended], until: NOW };
  const once = settle(makeRun({}, OPEN), end, NOW);
  t.is(settle(once, end, NOW), once);
});

test('attempts add up in the total, the last of them are told, and so is what all reported', (t) => {
  let run = makeRun({}, OPEN);
  const many = MAX_METERED_ATTEMPTS + 3;
  for (let attempt = 1; attempt <= many; attempt += 1) {
    const open = { ...run.status?.usage, open: { rate: RATE } };
    run = settle(makeRun({}, { ...OPEN, attempt, usage: open }), { pods: [ended], until: NOW }, NOW);
  }
  const { attempts = [], total, reported } = usageOf(run);
  t.deepEqual(
    attempts.map((one) => one.attempt),
    [4, 5, 6, 7, 8, 9, 10, 11],
  );
  t.is(total?.runUnits, '442.2');
  t.deepEqual(reported, { toolCalls: 2 * many });
});

test('a pod that has ended is noted, one that runs is not', (t) => {
  const runs = named('runs', makePod({ running: { startedAt: ago(5) } }));
  const noted = notePods(makeRun({}, OPEN), [lost, runs], NOW);
  t.deepEqual(noted.status?.usage?.open?.pods, [use('lost', 60, 30)]);
  const run = makeRun({}, OPEN);
  t.is(notePods(run, [runs], NOW), run);
});

test('however often its pods are evicted, what is kept of them fits the schema and nothing is lost', (t) => {
  let run = makeRun({}, OPEN);
  const seconds = MAX_POD_USES + 10;
  for (let at = seconds; at > 0; at -= 1) {
    const terminated = { startedAt: ago(at), finishedAt: ago(at - 1) };
    run = notePods(run, [named(`pod-${at}`, makePod({ terminated }, { phase: 'Failed' }))], NOW);
  }
  const usage = usageOf(settle(run, { pods: [], until: NOW }, NOW));
  t.true(runUsage.safeParse(usage).success);
  t.is(usage.total?.cpuSeconds, String(seconds));
});
