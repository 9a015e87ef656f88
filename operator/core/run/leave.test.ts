// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunStatus } from '#crds/v1alpha1/run';
import { planLeave } from './leave.ts';
import { childName } from './run.ts';
import { going, makePod, makeRun } from './testing/make.ts';
import { ACTIVE, RUNNING } from './testing/plan-cases.ts';

interface Case {
  /** Of the Run, which is there. */
  readonly status?: RunStatus;
  readonly isGone?: true;
  readonly isReserved?: true;
  /** Attempt of the pod; 2 unless told otherwise. */
  readonly attempt?: number;
  readonly want: boolean;
}

const cases: Readonly<Record<string, Case>> = {
  'the pod of an attempt that is under way stays': { status: { ...RUNNING, attempt: 2 }, want: false },
  'also where it was admitted just now': { status: { ...ACTIVE, attempt: 2 }, want: false },
  'one whose attempt is settled goes': { status: { phase: 'Succeeded', attempt: 2 }, want: true },
  'also where the Run waits for another attempt': { status: { phase: 'Queued', attempt: 2 }, want: true },
  'or is at that already': { status: { ...RUNNING, attempt: 3 }, want: true },
  'a Run that is seen late says nothing of it': { status: { ...RUNNING, attempt: 1 }, want: false },
  'however its earlier attempt went': { status: { phase: 'Queued', attempt: 1 }, want: false },
  'nor does one of which nothing was written': { want: false },
  'nor does one that waits for its first': { status: { phase: 'Queued' }, attempt: 1, want: false },
  'one that was made too late for a Run that has ended goes': { status: { phase: 'Cancelled' }, want: true },
  'the tenth attempt comes after the ninth': { status: { ...RUNNING, attempt: 9 }, attempt: 10, want: false },
  'what has no name of ours goes': { status: { ...RUNNING, attempt: 2 }, attempt: Number.NaN, want: true },
  'the pod of a Run that is gone goes': { isGone: true, want: true },
  'but not before what it has used is counted': { isGone: true, isReserved: true, want: false },
  'which a Run that is there tells by itself': {
    status: { phase: 'Failed', attempt: 2 },
    isReserved: true,
    want: true,
  },
};

for (const [name, { status, isGone, isReserved = false, attempt = 2, want }] of Object.entries(cases)) {
  test(name, (t) => {
    const run = isGone ? undefined : makeRun({}, status);
    const pod = going(
      makePod({}, {}, { name: childName({ name: 'r', uid: 'run-uid' }, attempt), finalizers: ['x'] }),
    );
    const plan = planLeave(pod, { run, isReserved });
    t.is(plan.result.kind, want ? 'finalized' : 'done');
    t.deepEqual([plan.status, plan.create, plan.remove, plan.apply], [undefined, [], [], []]);
  });
}
