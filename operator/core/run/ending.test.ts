// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { RUN } from '#crds/v1alpha1/run';
import { cancellation, fail } from './ending.ts';
import { ago, going, makeRun, NOW } from './testing/make.ts';
import {
  ACTIVE,
  type Case,
  deleted,
  RESERVED,
  RUNNING,
  running,
  testPlans,
  WAITING,
  succeeded,
} from './testing/plan-cases.ts';

const CANCELLED = { phase: 'Cancelled', reason: 'Cancelled' } as const;

const cases: Record<string, Case> = {
  'a Run that is deleted while it waits ends, also when somebody keeps the object': {
    isDeleted: true,
    seen: { place: WAITING },
    want: CANCELLED,
  },
  'nothing is made for a deleted Run that has just got its quota': {
    isDeleted: true,
    seen: { reservation: RESERVED },
    want: CANCELLED,
  },
  'nor for one that was admitted': { isDeleted: true, status: ACTIVE, want: CANCELLED },
  'the pod of a deleted Run that runs is ended': {
    isDeleted: true,
    status: RUNNING,
    seen: { pod: running },
    want: { phase: 'Running', reason: 'Cancelling' },
    wantRemoved: ['Pod'],
  },
  'it holds its place while its pod runs': {
    isDeleted: true,
    status: RUNNING,
    seen: { pod: going(running) },
    want: { phase: 'Running', reason: 'Cancelling' },
    wantRemoved: ['Pod'],
  },
  'and ends when nothing of it is left': { isDeleted: true, status: RUNNING, want: CANCELLED },
  'a deleted Run that was complete before is a success': {
    isDeleted: true,
    status: RUNNING,
    seen: { pod: succeeded },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'a deleted Run that has ended is left alone': {
    isDeleted: true,
    status: { phase: 'Succeeded', finishedAt: ago(9) },
  },
};

testPlans(cases);

test('a cancellation says whose finalizers keep what was deleted', (t) => {
  t.is(cancellation(makeRun()), undefined);
  t.is(cancellation(makeRun({ cancel: true }))?.message, 'cancelled by spec.cancel');
  t.regex(cancellation(deleted(makeRun()))?.message ?? '', /deleted; .*example\.com\/audit/);
});

test('a Run ends however much is to be said of it, and no character is cut in half', (t) => {
  for (const message of ['😀'.repeat(5000), `x${'😀'.repeat(5000)}`]) {
    const error = { code: 'invalid_request', message, retryable: false } as const;
    const { status } = fail(makeRun(), { reason: 'InvalidParameters', error }, NOW);
    t.is(RUN.status.safeParse(status).error, undefined);
    t.true(status?.error?.message.isWellFormed());
  }
});
