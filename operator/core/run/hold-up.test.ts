// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import type { RunStatus } from '#crds/v1alpha1/run';
import { findCondition } from '../conditions.ts';
import { ReconcileError } from '../errors.ts';
import { planHeldUp } from './hold-up.ts';
import { ago, makeJob, makeRun, NOW } from './testing/make.ts';
import { ACTIVE, type Case, RESERVED, RUNNING, testPlans } from './testing/plan-cases.ts';

const WORDS = 'configmaps "r-x-1" is forbidden: exceeded quota: nexusos, used: count/configmaps=2';
const HELD = statusWith('WorkloadRefused', `its workload cannot be made yet, and is tried again: ${WORDS}`);

function statusWith(reason: string, message: string): RunStatus {
  const ready = { type: 'Ready', status: 'False', reason, message } as const;
  return { ...ACTIVE, conditions: [{ ...ready, observedGeneration: 1, lastTransitionTime: ago(3) }] };
}

interface HoldUp {
  readonly status?: RunStatus;
  readonly cancel?: true;
  readonly words?: string;
  /** `same`: nothing is written; undefined: nothing is decided. */
  readonly want: 'told' | 'same' | undefined;
}

const holdUps: Record<string, HoldUp> = {
  'an admitted Run whose workload cannot be made says why': { status: ACTIVE, want: 'told' },
  'not when it was admitted a moment ago': { status: { ...ACTIVE, admittedAt: ago(1) }, want: undefined },
  'not once its workload is there': { status: RUNNING, want: undefined },
  'not when it is to end': { status: ACTIVE, cancel: true, want: undefined },
  'not in the queue': { want: undefined },
  'saying it again writes nothing': { status: HELD, want: 'same' },
  'other figures are no news': { status: HELD, words: WORDS.replace('=2', '=12'), want: 'same' },
  'another obstacle is': { status: HELD, words: 'jobs is forbidden', want: 'told' },
};

for (const [sentence, { status, cancel = false, words = WORDS, want }] of Object.entries(holdUps)) {
  test(sentence, (t) => {
    const run = makeRun({ cancel }, status);
    const plan = planHeldUp(run, new ReconcileError('quota_exceeded', words), NOW);
    t.is(plan?.result.kind, want && 'requeueAfter');
    if (want === 'same') t.is(plan?.status, run.status);
    if (want === 'told') tells(t, plan?.status, words);
  });
}

function tells(t: ExecutionContext, status: RunStatus | undefined, words: string): void {
  const ready = findCondition(status?.conditions ?? [], 'Ready');
  t.like(ready, { status: 'False', reason: 'WorkloadRefused' });
  t.true(ready?.message.endsWith(words), ready?.message);
  t.is(status?.phase, 'Admitted');
}

const cases: Record<string, Case> = {
  'what holds a Run up stays told while it is tried again': {
    status: HELD,
    seen: { reservation: RESERVED },
    want: { phase: 'Admitted', reason: 'WorkloadRefused' },
    wantCreated: ['Job'],
  },
  'a Run that was held up until its timeout says by what': {
    status: { ...HELD, admittedAt: ago(4000) },
    want: { phase: 'Failed', reason: 'TimedOut', code: 'timeout' },
    wantSaid: ['could not be made', 'exceeded quota: nexusos'],
  },
  'once the workload is made, that it was held up is no longer told': {
    status: HELD,
    seen: { job: makeJob() },
    want: { phase: 'Admitted', reason: 'Starting' },
  },
};

testPlans(cases);
