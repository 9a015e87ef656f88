// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { NEW_READER, OLD_READER } from './read-task.ts';
import { type TaskState, TASK_STATES } from './task.ts';
import { isLeftWaiting, verdictOn } from './verdict.ts';

const plain = (text: string): string => text;

/** What each state leads to: an exit code, 0 for success, undefined while the task goes on. */
const WANT: Readonly<Record<TaskState, { readonly exit: number | undefined; readonly waits?: true }>> = {
  submitted: { exit: undefined },
  working: { exit: undefined },
  unknown: { exit: undefined },
  completed: { exit: 0 },
  failed: { exit: 10 },
  rejected: { exit: 11 },
  canceled: { exit: 12 },
  'input-required': { exit: 0 },
  'auth-required': { exit: 13, waits: true },
};

for (const state of TASK_STATES) {
  test(`a task that is ${state}, in the words of both generations`, (t) => {
    const word = state === 'unknown' ? 'UNSPECIFIED' : state.toUpperCase().replaceAll('-', '_');
    const old = OLD_READER.readTask({ id: 't', contextId: 'c', status: { state } });
    const newest = NEW_READER.readTask({ id: 't', contextId: 'c', status: { state: `TASK_STATE_${word}` } });
    for (const task of [old, newest]) {
      if (task === undefined) return t.fail('it was not read');
      const ending = verdictOn(task, plain);
      const exit = ending?.kind === 'failed' ? ending.failure.exitCode : ending && 0;
      t.deepEqual({ exit, waits: isLeftWaiting(task) }, { waits: false, ...WANT[state] });
    }
    return undefined;
  });
}

const usage = { 'nexusos.dev/usage': { inputTokens: 3, outputTokens: 4 } };

for (const [name, more, want] of [
  ['the task', { metadata: usage }, { inputTokens: 3, outputTokens: 4 }],
  [
    'what is said at its end',
    { message: { parts: [], metadata: usage } },
    { inputTokens: 3, outputTokens: 4 },
  ],
  ['nobody', {}, undefined],
  ['what is no number', { metadata: { 'nexusos.dev/usage': { inputTokens: '3' } } }, undefined],
  ['a negative number', { metadata: { 'nexusos.dev/usage': { toolCalls: -1 } } }, undefined],
] as const) {
  test(`usage as told by ${name}`, (t) => {
    const ending = verdictOn({ id: 't', state: 'completed', artifacts: [], ...more }, plain);
    t.deepEqual(ending?.usage, want);
  });
}

for (const [name, task] of Object.entries({
  'no identifier': { status: { state: 'TASK_STATE_WORKING' } },
  'an identifier with a line break': { id: 'a\nb', status: { state: 'TASK_STATE_WORKING' } },
  'a very long identifier': { id: 'a'.repeat(257), status: { state: 'TASK_STATE_WORKING' } },
  'no state': { id: 'a', status: {} },
  'a state of the other generation': { id: 'a', status: { state: 'working' } },
  'artifacts that are none': { id: 'a', status: { state: 'TASK_STATE_COMPLETED' }, artifacts: 'x' },
  'a text that is none': {
    id: 'a',
    status: { state: 'TASK_STATE_COMPLETED' },
    artifacts: [{ parts: [{ text: { a: 1 } }] }],
  },
})) {
  test(`not read as a task: ${name}`, (t) => {
    t.is(NEW_READER.readTask(task), undefined);
  });
}

const hide = (text: string): string => text.replaceAll('top-secret', '***');

test('a secret across the cut of what is said of a failure is hidden whole', (t) => {
  const words = `${'x'.repeat(1495)}top-secret`;
  const message = { parts: [{ kind: 'text' as const, text: words }] };
  const ending = verdictOn({ id: 't', state: 'failed', artifacts: [], message }, hide);
  t.is(ending?.kind === 'failed' && ending.failure.message, `the agent failed: ${'x'.repeat(1495)}***`);
});
