// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunSpec } from '#crds/v1alpha1/run';
import type { DryRunStatus } from '#crds/v1alpha1/run-dry-run';
import { keyRecord } from './idempotency.ts';
import type { RunObserved } from './observed.ts';
import { planRun } from './plan.ts';
import { childName, type Run } from './run.ts';
import { ago, makeClass, makeRun, NOW } from './testing/make.ts';
import { NOTHING_SEEN, RESERVED, WAITING } from './testing/plan-cases.ts';

interface Case {
  readonly spec?: Partial<RunSpec>;
  readonly seen?: Partial<RunObserved>;
  /** Seconds since its creation. */
  readonly age?: number;
  readonly want: Partial<DryRunStatus>;
  /** Error code of the Run itself, if it fails. */
  readonly wantCode?: string;
}

const name = childName({ name: 'r', uid: 'run-uid' }, 1);
const pod = { kind: 'Pod', name };
const first = makeRun({ idempotencyKey: 'k' });
const taken = { ...keyRecord(first)!, name: 'first', uid: 'first-uid', until: ago(-60) };

const cases: Record<string, Case> = {
  'one that would start says so, what it takes and what would be made': {
    seen: { reservation: RESERVED, demand: { reserves: { 'requests.cpu': '2' } } },
    want: {
      phase: 'Admitted',
      reason: 'Admitted',
      // Nothing is reserved, and nothing made.
      message: 'its quota is free, and its workload would be made at once',
      reserves: { 'requests.cpu': '2' },
      creates: [pod],
    },
  },
  'devices, and what carries the input, are among it': {
    spec: { input: { inline: 'hello' } },
    seen: {
      reservation: { ...RESERVED, gpuClass: 'dra', gpus: 2 },
      gpuClass: makeClass('dra', { deviceClassName: 'gpu.nvidia.com' }),
      demand: { gpu: { class: 'dra', count: 2 } },
    },
    want: {
      phase: 'Admitted',
      gpu: { class: 'dra', count: 2 },
      creates: [{ kind: 'ConfigMap', name }, { kind: 'ResourceClaimTemplate', name }, pod],
    },
  },
  'one that would wait says where, and for what': {
    seen: { place: WAITING },
    want: { phase: 'Queued', reason: 'ConcurrencyExceeded', message: WAITING.message, position: 3 },
  },
  'one without a tenant would wait for that': {
    age: 5,
    seen: { place: { kind: 'none' } },
    want: { phase: 'Queued', reason: 'TenantNotFound' },
  },
  'one whose input is missing would be admitted and wait for it': {
    spec: { input: { configMapKeyRef: { name: 'data', key: 'doc' } } },
    seen: { reservation: RESERVED },
    want: { phase: 'Admitted', reason: 'InputNotFound' },
  },
  'one that would be refused fails with the same error': {
    seen: { place: { ...WAITING, full: { found: 50, allowed: 40 } } },
    want: { phase: 'Failed', reason: 'QueueFull' },
    wantCode: 'quota_exceeded',
  },
  'one whose parameters do not fit fails': {
    seen: { place: { ...WAITING, reason: 'InvalidParameters', message: 'spec.parameters: no' } },
    want: { phase: 'Failed', reason: 'InvalidParameters' },
    wantCode: 'invalid_request',
  },
  'one whose key another Run has would stand for that': {
    spec: { idempotencyKey: 'k' },
    seen: { keyRecord: { ...taken, phase: 'Succeeded' } },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'one with another spec under the same key would be a conflict': {
    spec: { idempotencyKey: 'k', priority: 1 },
    seen: { keyRecord: taken },
    want: { phase: 'Failed', reason: 'KeyConflict' },
    wantCode: 'conflict',
  },
};

function aged(run: Run, seconds: number): Run {
  return { ...run, metadata: { ...run.metadata, creationTimestamp: ago(seconds) } };
}

for (const [sentence, { spec, seen, age = 1, want, wantCode }] of Object.entries(cases)) {
  test(sentence, (t) => {
    const run = aged(makeRun({ ...spec, dryRun: true }), age);
    const { status, create, apply, remove } = planRun(run, { ...NOTHING_SEEN, ...seen }, NOW);
    t.deepEqual([create, apply, remove], [[], [], []]);
    t.like(status?.dryRun, want);
    t.is(status?.phase, wantCode === undefined ? 'Succeeded' : 'Failed');
    t.is<string | undefined, string | undefined>(status?.error?.code, wantCode);
    t.is(status?.attempt, undefined);
    t.is(status?.child, undefined);
  });
}

test('a dry run that the queue has not seen yet is asked again, and nothing is written', (t) => {
  const { status, result } = planRun(makeRun({ dryRun: true }), NOTHING_SEEN, NOW);
  t.is(status, undefined);
  t.is(result.kind, 'requeueAfter');
});

const absent = { ...WAITING, reason: 'AgentNotFound' };
const AGES: readonly (readonly [number, string | undefined])[] = [
  [1, undefined],
  [5, 'AgentNotFound'],
];
for (const [seconds, want] of AGES) {
  test(`after ${seconds} s a dry run says of an Agent that is not there: ${want ?? 'nothing yet'}`, (t) => {
    const run = aged(makeRun({ dryRun: true }), seconds);
    const { status } = planRun(run, { ...NOTHING_SEEN, place: absent }, NOW);
    t.is(status?.dryRun?.reason, want);
  });
}

test('a dry run that is cancelled ends as that', (t) => {
  const run = makeRun({ dryRun: true, cancel: true });
  t.is(planRun(run, NOTHING_SEEN, NOW).status?.phase, 'Cancelled');
});
