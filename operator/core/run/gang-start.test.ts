// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { RefusedError } from '../errors.ts';
import { KUEUE } from '../kueue/testing/make.ts';
import { planHeldUp } from './hold-up.ts';
import { planRefused, planRun } from './plan.ts';
import {
  ADMITTED_GANG,
  as,
  ended,
  ending,
  indexIn,
  makeMember,
  nodeless,
  RUNNING_GANG,
  seenOf,
} from './testing/gang-cases.ts';
import { ago, going, makeRun, NOW } from './testing/make.ts';

const three = [makeMember(0), makeMember(1), makeMember(2)];

const THRICE = [
  { before: undefined, failed: 1, seconds: 10 },
  { before: 1, failed: 2, seconds: 20 },
  { before: 8, failed: 9, seconds: 600 },
];

for (const { before, failed, seconds } of THRICE) {
  test(`an attempt that is not started whole for time ${failed} is tried again in ${seconds} s, and spends no retry`, (t) => {
    const members = [as(ended(0, 143), going), as(ended(1, 143), going), as(nodeless(2), going)];
    const more = before === undefined ? {} : { startBackoff: { failed: before } };
    const run = makeRun({}, ending('GangNotStarted', { phase: 'Admitted', ...more }));
    const { status, events } = planRun(run, seenOf(members), NOW);
    t.like(status, { phase: 'Queued', startBackoff: { failed, notBefore: ago(-seconds) } });
    t.deepEqual([status?.gang, status?.retries], [undefined, undefined]);
    t.is(status?.usage?.attempts?.at(-1)?.pods.length, 2, 'what two of them held is charged for');
    t.like(events[0], { type: 'Warning', reason: 'GangNotStarted' });
  });
}

/** A Run that could not be started whole, and may be tried again in so long. */
function waiting(seconds: number) {
  return makeRun({}, { phase: 'Queued', attempt: 1, startBackoff: { failed: 1, notBefore: ago(-seconds) } });
}

const ASIDE = seenOf([], {
  place: { kind: 'waiting', position: undefined, reason: 'GangNotStarted', message: '' },
});

test('a Run waits for its time, and then for quota', (t) => {
  const early = waiting(5);
  const plan = planRun(early, ASIDE, NOW);
  t.is(plan.status, early.status);
  t.like(plan.result, { kind: 'requeueAfter', afterMs: 5000 });
  t.deepEqual(planRun(waiting(0), ASIDE, NOW).status?.startBackoff, { failed: 1 });
  const far = planRun(waiting(5000), ASIDE, NOW);
  t.is(far.status?.startBackoff?.notBefore, ago(-10), 'the clock has gone back');
});

test('when all run, what could not be started before is forgotten', (t) => {
  const status = { ...ADMITTED_GANG, startBackoff: { failed: 4 } };
  const plan = planRun(makeRun({}, status), seenOf(three), NOW);
  t.is(plan.status?.phase, 'Running');
  t.is(plan.status?.startBackoff, undefined);
});

test('counts are written with what is written anyhow, and else every five seconds at most', (t) => {
  const members = [ended(0, 0), makeMember(1), makeMember(2)];
  const old = { ...RUNNING_GANG, gang: { ...RUNNING_GANG.gang!, countedAt: ago(5) } };
  const stale = planRun(makeRun({}, old), seenOf(members), NOW);
  t.like(stale.status?.gang, { running: 2, succeeded: 1 });
  const fresh = { ...RUNNING_GANG, gang: { ...RUNNING_GANG.gang!, countedAt: ago(2) } };
  const plan = planRun(makeRun({}, fresh), seenOf(members), NOW);
  t.is(plan.status, fresh);
  t.like(plan.result, { kind: 'requeueAfter', afterMs: 3000 });
});

/** Kinds of what is made for a gang with parameters. */
function kindsMade(...seen: Parameters<typeof seenOf>): readonly string[] {
  const plan = planRun(makeRun({ parameters: { a: 'b' } }, ADMITTED_GANG), seenOf(...seen), NOW);
  return [...new Set(plan.create.map(({ kind }) => kind))];
}

test('what pods share is made before the first, and not asked for again', (t) => {
  t.deepEqual(kindsMade([]), ['ConfigMap', 'Service', 'Pod']);
  t.deepEqual(kindsMade([], { service: makeMember(0).pod }), ['ConfigMap', 'Pod']);
  t.deepEqual(kindsMade([makeMember(0)]), ['Pod']);
});

test('where Kueue decides what starts a gang goes not past it: it fails, and says what would pass', (t) => {
  const kueue = { capacity: { kueue: KUEUE } };
  const { status, create } = planRun(makeRun({}, ADMITTED_GANG), seenOf([], kueue), NOW);
  t.like(status, { phase: 'Failed', error: { code: 'invalid_request', retryable: false } });
  t.regex(status?.error?.message ?? '', /spec.gang of its Agent: found 3 pods where Kueue decides/);
  t.deepEqual(create, []);
  const begun = planRun(makeRun({}, ADMITTED_GANG), seenOf([makeMember(0)], kueue), NOW);
  t.is(begun.status?.phase, 'Admitted', 'what was made before Kueue came ends first');
  t.deepEqual(
    begun.remove.map(({ ref }) => indexIn(ref.name)),
    [0],
  );
});

test('what the API server refuses of one ends the others before the Run fails', (t) => {
  const run = makeRun({}, ADMITTED_GANG);
  const error = new RefusedError('conflict', 'Pod acme-dev/r-x-1-1 exists, and Run r does not own it');
  const refused = planRefused(run, error, NOW);
  t.like(refused?.status, { phase: 'Admitted', error: { code: 'conflict', retryable: false } });
  const told = makeRun({}, refused?.status);
  const plan = planRun(told, seenOf([makeMember(0)]), NOW);
  t.deepEqual(
    plan.remove.map(({ ref }) => indexIn(ref.name)),
    [0],
  );
  t.deepEqual(plan.create, []);
  const after = planRun(told, seenOf([as(ended(0, 143), going)]), NOW);
  t.like(after.status, { phase: 'Failed', error: { code: 'conflict' } });
  t.is(after.status?.usage?.attempts?.[0]?.pods.length, 1, 'what it held meanwhile is charged for');
});

test('what is forbidden for a minute does the same, and quota is waited for', (t) => {
  const refusedAt = { name: 'r-x-1', refusedAt: ago(61) };
  const conditions = [
    {
      type: 'Ready',
      status: 'False',
      reason: 'WorkloadRefused',
      message: 'denied',
      observedGeneration: 1,
      lastTransitionTime: ago(61),
    },
  ] as const;
  const run = makeRun(
    {},
    { ...ADMITTED_GANG, admittedAt: ago(70), child: refusedAt, conditions: [...conditions] },
  );
  const plan = planHeldUp(run, new RefusedError('forbidden', 'denied by policy'), NOW);
  t.like(plan?.status, { phase: 'Admitted', error: { code: 'forbidden' } });
  t.true(plan?.status?.usage?.open !== undefined, 'its place is kept until nothing of it runs');
});

test('while its pods are being ended, what keeps others from being made is nothing to tell of', (t) => {
  const run = makeRun({}, ending('GangNotStarted', { phase: 'Admitted', child: { name: 'r-x-1' } }));
  t.is(planHeldUp(run, new RefusedError('forbidden', 'denied by policy'), NOW), undefined);
});

test('late pods of a Run that is not under way are deleted, and none is admitted beside them', (t) => {
  const queued = makeRun({}, { phase: 'Queued', attempt: 1 });
  const plan = planRun(
    queued,
    seenOf(three, {
      reservation: {
        uid: 'run-uid',
        namespace: 'acme-dev',
        name: 'r',
        agent: 'agent',
        attempt: 2,
        pods: 3,
      },
    }),
    NOW,
  );
  t.is(plan.status, queued.status);
  t.deepEqual(
    plan.remove.map(({ ref }) => indexIn(ref.name)),
    [0, 1, 2],
  );
  t.deepEqual(plan.create, []);
});
