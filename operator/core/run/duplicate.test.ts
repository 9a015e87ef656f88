// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KeyRecord } from '#crds/v1alpha1/quota-ledger';
import type { RunSpec } from '#crds/v1alpha1/run';
import { bodyDigest, keyDigest, keyRecord, oncePerRun } from './idempotency.ts';
import type { Run } from './run.ts';
import { ago, makeRun } from './testing/make.ts';
import { type Case, RESERVED, RUNNING, testPlans, WAITING } from './testing/plan-cases.ts';

const spec: Partial<RunSpec> = { idempotencyKey: 'k', parameters: { a: '1' } };
const holder = { name: 'first', uid: 'first-uid' };

function first(status?: Run['status'], more: Partial<RunSpec> = {}): Run {
  const run = makeRun({ ...spec, ...more }, status);
  return { ...run, metadata: { ...run.metadata, ...holder } };
}

function recordOf(more: Partial<KeyRecord> = {}, run: Run = first()): KeyRecord {
  return { ...keyRecord(run)!, ...more };
}

const succeeded = first({ phase: 'Succeeded', attempt: 1, result: { output: 'hello' } });
const failed = first({
  phase: 'Failed',
  attempt: 1,
  error: { code: 'timeout', message: 'it took too long', retryable: true },
});
const told = { phase: 'Queued', keyHolder: holder } as const;

const cases: Record<string, Case> = {
  'a Run that has its key to itself goes on': {
    spec,
    seen: { keyRecord: recordOf({}, makeRun(spec)), reservation: RESERVED },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['ConfigMap', 'Pod'],
  },
  'a Run with the key of another one waits for the end of that': {
    spec,
    seen: { keyRecord: recordOf(), keyHolder: first(RUNNING) },
    want: { phase: 'Queued', reason: 'Duplicate' },
    wantSoon: true,
  },
  'that is said once': {
    spec,
    status: {
      ...told,
      queue: { reason: 'Duplicate', message: '', since: ago(9), updatedAt: ago(9) },
    },
    seen: { keyHolder: first(RUNNING) },
    wantSoon: true,
  },
  'and ends as that one ends': {
    spec,
    status: told,
    seen: { keyHolder: succeeded },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'the error is told as well': {
    spec,
    seen: { keyRecord: recordOf(), keyHolder: failed },
    want: { phase: 'Failed', reason: 'Failed', code: 'timeout' },
    wantSaid: ['it took too long'],
  },
  'of one that is gone the ledger remembers the end': {
    spec,
    seen: { keyRecord: recordOf({ phase: 'Succeeded', until: ago(-9) }) },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'unless it went before its end was seen': {
    spec,
    seen: { keyRecord: recordOf({ until: ago(-9) }) },
    want: { phase: 'Failed', reason: 'OutcomeUnknown', code: 'not_found' },
    wantSaid: ['Run first'],
  },
  'while the ledger has yet to tell, its end is not guessed': {
    spec,
    seen: { keyRecord: recordOf() },
    wantSoon: true,
  },
  'nor after it was told whose key it is': {
    spec,
    status: told,
    seen: { keyRecord: recordOf() },
    wantSoon: true,
  },
  'what was told holds, also when the ledger has forgotten it': {
    spec,
    status: told,
    seen: { reservation: RESERVED },
    want: { phase: 'Failed', reason: 'OutcomeUnknown', code: 'not_found' },
  },
  'a Run with another spec is a conflict that names the first and what differs': {
    spec: { ...spec, parameters: { a: '2' }, priority: 7 },
    seen: { keyRecord: recordOf(), keyHolder: first(RUNNING) },
    want: { phase: 'Failed', reason: 'KeyConflict', code: 'conflict' },
    wantSaid: ['Run first', 'differs in parameters, priority'],
  },
  'also when the first is gone': {
    spec: { ...spec, parameters: { a: '2' } },
    seen: { keyRecord: recordOf({ until: ago(-9) }) },
    want: { phase: 'Failed', reason: 'KeyConflict', code: 'conflict' },
  },
  'a key whose time is over is nobody’s': {
    spec,
    seen: { keyRecord: recordOf({ until: ago(1) }), place: WAITING },
    want: { phase: 'Queued', reason: 'ConcurrencyExceeded' },
    wantSoon: true,
  },
  'unless its Run is still there': {
    spec,
    seen: { keyRecord: recordOf({ until: ago(1) }), keyHolder: succeeded },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'a Run that is there is compared itself, since its digest may be of before a field was added': {
    spec,
    seen: { keyRecord: recordOf({ body: 'older' }), keyHolder: first(RUNNING) },
    want: { phase: 'Queued', reason: 'Duplicate' },
    wantSoon: true,
  },
  'cancel ends a duplicate alone': {
    spec: { ...spec, cancel: true },
    status: told,
    seen: { keyHolder: first(RUNNING) },
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },
  'a Run that was started is nobody’s duplicate': {
    spec,
    status: { phase: 'Queued', attempt: 1 },
    seen: { keyRecord: recordOf(), place: WAITING },
    want: { phase: 'Queued', reason: 'ConcurrencyExceeded' },
    wantSoon: true,
  },
};

testPlans(cases);

const SAME: Readonly<Record<string, Partial<RunSpec>>> = {
  'what can be changed later': { suspend: true, ttlSecondsAfterFinished: 9 },
  'the key, and for how long it is remembered': { idempotencyKey: 'other', idempotencyKeySeconds: 9 },
};
for (const [what, more] of Object.entries(SAME)) {
  test(`two Runs are the same whatever they say of ${what}`, (t) => {
    t.is(bodyDigest(makeRun({ ...spec, ...more })), bodyDigest(makeRun(spec)));
  });
}

const OTHER: Readonly<Record<string, Partial<RunSpec>>> = {
  Agent: { agentRef: { name: 'other' } },
  input: { input: { inline: 'x' } },
  parameters: { parameters: { a: '2' } },
  priority: { priority: 1 },
  timeout: { timeoutSeconds: 9 },
};
for (const [what, more] of Object.entries(OTHER)) {
  test(`they are not with another ${what}`, (t) => {
    t.not(bodyDigest(makeRun({ ...spec, ...more })), bodyDigest(makeRun(spec)));
  });
}

function digestIn(namespace: string, idempotencyKey: string): string | undefined {
  const run = makeRun({ idempotencyKey });
  return keyDigest({ ...run, metadata: { ...run.metadata, namespace } });
}

test('keys of other letters or blanks, or that run into the namespace, are different keys', (t) => {
  const keys: readonly (readonly [string, string])[] = [
    ['a', 'b/c'],
    ['a', 'b'],
    ['b', 'b'],
    ['a', 'B'],
    ['a', 'b b'],
    ['a', 'b  b'],
  ];
  t.is(new Set(keys.map(([namespace, key]) => digestIn(namespace, key))).size, keys.length);
});

test('a digest is worked out once for each Run as it stands', (t) => {
  const asked: Run[] = [];
  const digest = oncePerRun((run) => {
    asked.push(run);
    return run.metadata.name;
  });
  const [one, other] = [makeRun(), first()];
  t.deepEqual([one, one, other, one].map(digest), ['r', 'r', 'first', 'r']);
  t.deepEqual(asked, [one, other]);
});
