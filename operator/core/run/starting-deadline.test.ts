// SPDX-License-Identifier: Apache-2.0
import { ago } from './testing/make.ts';
import { type Case, RESERVED, testPlans, WAITED, WAITING } from './testing/plan-cases.ts';

const cases: Record<string, Case> = {
  'a Run that was not admitted before its deadline fails, and says what it waited for': {
    spec: { startingDeadlineSeconds: 1 },
    status: { phase: 'Queued', queue: { ...WAITED, updatedAt: ago(1) } },
    seen: { place: WAITING },
    want: { phase: 'Failed', reason: 'StartingDeadlineExceeded', code: 'timeout' },
    wantSaid: ['within 1 second', 'spec.startingDeadlineSeconds', WAITING.message],
  },
  'or what it was told last, where it waits for nothing now': {
    spec: { startingDeadlineSeconds: 1 },
    status: { phase: 'Queued', queue: { ...WAITED, updatedAt: ago(1) } },
    want: { phase: 'Failed', reason: 'StartingDeadlineExceeded', code: 'timeout' },
    wantSaid: ['within 1 second', WAITED.message],
  },
  'a deadline is for the first start only': {
    spec: { startingDeadlineSeconds: 1 },
    status: { phase: 'Queued', attempt: 1, admittedAt: ago(1), queue: { ...WAITED, updatedAt: ago(1) } },
    seen: { place: WAITING },
    wantSoon: true,
  },
  'and a reservation that was given back unused was none': {
    spec: { startingDeadlineSeconds: 1 },
    status: { phase: 'Queued', attempt: 1, queue: { ...WAITED, updatedAt: ago(1) } },
    seen: { place: WAITING },
    want: { phase: 'Failed', reason: 'StartingDeadlineExceeded', code: 'timeout' },
  },
  'a Run with a reservation is admitted, though its deadline is over': {
    spec: { startingDeadlineSeconds: 1 },
    seen: { reservation: RESERVED },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
  'until then it waits, and no longer': {
    spec: { startingDeadlineSeconds: 3 },
    status: { phase: 'Queued', queue: { ...WAITED, updatedAt: ago(1) } },
    seen: { place: WAITING },
    wantSoon: true,
  },
};

testPlans(cases);
