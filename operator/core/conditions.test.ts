// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import {
  MAX_MESSAGE_LENGTH,
  removeCondition,
  setCondition,
  setConditions,
  setStanding,
  summarize,
  truncate,
} from './conditions.ts';
import type { Condition } from './object.ts';

const T1 = '2026-01-01T00:00:00Z';
const T2 = '2026-01-02T00:00:00Z';
const at = (instant: string, generation = 1) => ({ now: new Date(instant), generation });

function condition(parts: Partial<Condition> = {}): Condition {
  return {
    type: 'Ready',
    status: 'False',
    reason: 'Waiting',
    message: 'not yet',
    observedGeneration: 1,
    lastTransitionTime: T1,
    ...parts,
  };
}

function types(conditions: readonly Condition[]): string[] {
  return conditions.map((one) => `${one.type}=${one.status}`);
}

test('setCondition keeps the time of transition unless the status changed, and stamps the generation', (t) => {
  const before = [condition()];
  const said = { type: 'Ready', status: 'False', reason: 'StillWaiting', message: 'no' } as const;
  t.deepEqual(setCondition(before, said, at(T2, 7)), [
    condition({ ...said, observedGeneration: 7, lastTransitionTime: T1 }),
  ]);
  t.deepEqual(setCondition(before, { ...said, status: 'True' }, at(T2, 7)), [
    condition({ ...said, status: 'True', observedGeneration: 7, lastTransitionTime: T2 }),
  ]);
});

test('setCondition keeps the conditions of others, sorted by type', (t) => {
  const others = [condition({ type: 'Zeta' }), condition({ type: 'Alpha' })];
  const after = setCondition(others, { type: 'Mid', status: 'True', reason: 'R', message: '' }, at(T2));
  t.deepEqual(
    after.map((one) => one.type),
    ['Alpha', 'Mid', 'Zeta'],
  );
  t.is(after[0], others[1]);
});

test('saying the same again changes nothing', (t) => {
  const said = { type: 'Ready', status: 'True', reason: 'R', message: 'm' } as const;
  const once = setCondition([], said, at(T1));
  t.deepEqual(setCondition(once, said, at(T2)), once);
});

test('a message is cut at the limit, and never through a character', (t) => {
  t.is(truncate('abc', 3), 'abc');
  t.is(truncate('abcd', 3), 'ab…');
  t.is(truncate('a😀bcd', 3), 'a…');
  const long = {
    type: 'Ready',
    status: 'True',
    reason: 'R',
    message: 'x'.repeat(MAX_MESSAGE_LENGTH + 1),
  } as const;
  t.is(setCondition([], long, at(T1))[0]?.message.length, MAX_MESSAGE_LENGTH);
});

test('removeCondition removes one', (t) => {
  t.deepEqual(removeCondition([condition(), condition({ type: 'B' })], 'Ready'), [condition({ type: 'B' })]);
});

test('Reconciling and Stalled are there only while they are true', (t) => {
  const making = setStanding([], { kind: 'reconciling', reason: 'Making', message: 'm' }, at(T1));
  t.deepEqual(types(making), ['Ready=False', 'Reconciling=True']);
  const stillMaking = setStanding(making, { kind: 'reconciling', reason: 'Making', message: 'n' }, at(T2));
  t.deepEqual(
    stillMaking.map((one) => one.lastTransitionTime),
    [T1, T1],
  );
  const stuck = setStanding(stillMaking, { kind: 'stalled', reason: 'Stuck', message: 's' }, at(T2));
  t.deepEqual(types(stuck), ['Ready=False', 'Stalled=True']);
  const ready = setStanding(stuck, { kind: 'ready', reason: 'Done', message: 'd' }, at(T2));
  t.deepEqual(types(ready), ['Ready=True']);
});

const SUMMARIES: Record<string, { given: readonly Condition[]; want: string }> = {
  'all are true': {
    given: [condition({ type: 'A', status: 'True' }), condition({ type: 'B', status: 'True' })],
    want: 'True Done',
  },
  'the first that is not true is told': {
    given: [condition({ type: 'A', status: 'True' }), condition({ type: 'B', reason: 'NoB' })],
    want: 'False NoB',
  },
  'one that is not known': { given: [condition({ type: 'A', status: 'True' })], want: 'Unknown Pending' },
};

for (const [sentence, { given, want }] of Object.entries(SUMMARIES)) {
  test(`summarize: ${sentence}`, (t) => {
    const { status, reason } = summarize(given, ['A', 'B'], { reason: 'Done', message: '' });
    t.is(`${status} ${reason}`, want);
  });
}

test('setConditions sets several', (t) => {
  const inputs = ['B', 'A'].map((type) => ({ type, status: 'True', reason: 'R', message: '' }) as const);
  t.deepEqual(
    setConditions([], inputs, at(T1)).map((one) => one.type),
    ['A', 'B'],
  );
});
