// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { type Retries, retries as schema } from '#crds/v1alpha1/run-retries';
import type { Failure } from './outcome.ts';
import { planRun } from './plan.ts';
import { failAttempt, retriesAtAdmission, waitForRetry } from './retry.ts';
import type { Run } from './run.ts';
import { makeAgent, makeRun, NOW } from './testing/make.ts';
import { NOTHING_SEEN, RUNNING } from './testing/plan-cases.ts';

const EXIT_3: Failure = {
  reason: RUN_REASONS.ContainerFailed,
  error: {
    code: 'internal_error',
    message: 'the container ended with exit code 3',
    retryable: false,
    exitCode: 3,
  },
};
const NO_NODE: Failure = {
  reason: RUN_REASONS.StartFailed,
  error: { code: 'dependency_unavailable', message: 'no image', retryable: true },
};
const OUT_OF_MEMORY: Failure = {
  reason: RUN_REASONS.OutOfMemory,
  error: { code: 'quota_exceeded', message: 'too much', retryable: false, exitCode: 137 },
};

interface Case {
  readonly retries?: Partial<Retries>;
  readonly spent?: number;
  readonly failure?: Failure;
  readonly cancel?: boolean;
  /** In how many seconds the next attempt starts; undefined: the Run fails. */
  readonly wantSeconds?: number;
}

const cases: Record<string, Case> = {
  'without retries the Run fails': { retries: { limit: 0 } },
  'the first retry waits for the first backoff': { wantSeconds: 10 },
  'the next one twice as long': { spent: 1, wantSeconds: 20 },
  'and no longer than the most': { spent: 2, retries: { maxBackoffSeconds: 25 }, wantSeconds: 25 },
  'with none left the Run fails': { spent: 3 },
  'what cannot start is retried': { failure: NO_NODE, wantSeconds: 10 },
  'too little memory is not, unless told so': { failure: OUT_OF_MEMORY },
  'too little memory, told so': {
    failure: OUT_OF_MEMORY,
    retries: { reasons: ['OutOfMemory'] },
    wantSeconds: 10,
  },
  'an exit code that is listed': { retries: { exitCodes: [3, 4] }, wantSeconds: 10 },
  'an exit code that is not': { retries: { exitCodes: [4] } },
  'exit codes are of containers alone': { failure: NO_NODE, retries: { exitCodes: [4] }, wantSeconds: 10 },
  'a container without exit code is none of them': {
    failure: { ...EXIT_3, error: { ...EXIT_3.error, exitCode: undefined } },
    retries: { exitCodes: [3] },
  },
  'nobody wants the next attempt of a cancelled Run': { cancel: true },
  'at once, if so wanted': { retries: { backoffSeconds: 0 }, wantSeconds: 0 },
};

/** A Run with the retries of a case, whose attempt is under way. */
function begun({ retries, spent = 0, cancel = false }: Case): Run {
  const asked = schema.parse({ limit: 3, ...retries });
  const status = asked.limit === 0 ? RUNNING : { ...RUNNING, retries: { spent, limit: asked.limit } };
  return makeRun({ retries: asked, cancel }, status);
}

for (const [name, given] of Object.entries(cases)) {
  test(name, (t) => {
    const { spent = 0, failure = EXIT_3, wantSeconds } = given;
    const plan = failAttempt(begun(given), failure, NOW);
    t.is(plan.status?.phase, wantSeconds === undefined ? 'Failed' : 'Queued');
    if (wantSeconds === undefined) return;
    const notBefore = new Date(NOW.getTime() + wantSeconds * 1000).toISOString().replace('.000Z', 'Z');
    const retries = { spent: spent + 1, notBefore, last: { attempt: 1, child: 'r-x-1' } };
    t.like(plan.status, { attempt: 1, child: undefined, error: undefined, retries });
    t.true(plan.status?.queue?.message.includes(failure.error.message));
    t.like(plan.events, [{ type: 'Warning', reason: 'RetryBackoff' }]);
  });
}

test('a Run waits for its next attempt, and then for quota', (t) => {
  const retries = { spent: 1, limit: 2, notBefore: '2026-11-21T12:00:05Z' };
  const run = makeRun({ retries: schema.parse({ limit: 2 }) }, { phase: 'Queued', attempt: 1, retries });
  const early = waitForRetry(run, retries, NOW);
  t.is(early.status, run.status);
  t.like(early.result, { kind: 'requeueAfter', afterMs: 5000 });
  const late = waitForRetry(run, retries, new Date(NOW.getTime() + 5000));
  t.deepEqual(late.status?.retries, { spent: 1, limit: 2 });
  t.is(late.status?.queue?.reason, 'Pending');
});

test('it waits no longer than its backoff, though the clock has gone back', (t) => {
  const retries = { spent: 1, limit: 2, notBefore: '2026-11-21T13:00:00Z' };
  const run = makeRun({ retries: schema.parse({ limit: 2 }) }, { phase: 'Queued', attempt: 1, retries });
  const plan = waitForRetry(run, retries, NOW);
  t.like(plan.status?.retries, { spent: 1, limit: 2, notBefore: '2026-11-21T12:00:10Z' });
  t.like(plan.result, { kind: 'requeueAfter', afterMs: 10_000 });
  const settled = { ...run, status: plan.status! };
  t.is(waitForRetry(settled, plan.status!.retries!, NOW).status, settled.status, 'and that is written once');
});

test('a Run that ends while it waits for a retry waits for none any more', (t) => {
  const retries = { spent: 1, limit: 2, notBefore: '2026-11-21T12:00:05Z' };
  const run = makeRun({ cancel: true }, { phase: 'Queued', attempt: 1, retries });
  t.deepEqual(planRun(run, NOTHING_SEEN, NOW).status?.retries, { spent: 1, limit: 2 });
});

test('the lower limit of Run and Agent holds, as it was at the first admission', (t) => {
  const run = makeRun({ retries: schema.parse({ limit: 5 }) });
  t.is(retriesAtAdmission(makeRun(), makeAgent()), undefined);
  t.is(retriesAtAdmission(run, makeAgent())?.limit, 5);
  const strict = makeAgent({ limits: { timeoutSeconds: 60, maxRetries: 2 } });
  t.is(retriesAtAdmission(run, strict)?.limit, 2);
  const later = { ...run, status: { retries: { spent: 1, limit: 5 } } };
  t.deepEqual(retriesAtAdmission(later, strict), { spent: 1, limit: 5 });
});
