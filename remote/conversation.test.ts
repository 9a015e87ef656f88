// SPDX-License-Identifier: Apache-2.0
// The program as a process: what it asks people, and how it ends when it is told to.
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import {
  type Answering,
  attempt,
  complete,
  completed,
  endpoint,
  result,
  TASK,
  taking,
  working,
} from './testing/endpoint.ts';
import { startProgram } from './testing/program.ts';
import { reply } from './testing/server.ts';

const SEND = 'SendMessage';
const LOOK = 'GetTask';

const asking = {
  ...TASK,
  status: {
    state: 'TASK_STATE_INPUT_REQUIRED',
    message: { messageId: 'm', role: 'ROLE_AGENT', parts: [{ text: 'Which account?' }] },
  },
};
const STATE = { task: TASK.id, context: TASK.contextId, attempt: 1 };

test('a question is asked of people, and its answer goes to the same task', async (t) => {
  const sent: unknown[] = [];
  let now: object = asking;
  const { url, seen } = await endpoint(t, (rpc, response) => {
    const { message } = rpc.params as { readonly message?: { readonly taskId?: string } };
    if (message !== undefined) sent.push(message);
    // It tells of the task as it was before it has looked at the answer.
    const before = now;
    if (message?.taskId === TASK.id) now = completed;
    result(response, rpc, message === undefined ? now : { task: before });
  });
  const asked = await attempt(t, url);
  t.is(asked.code, 0, asked.text);
  t.deepEqual(asked.said.inputRequired, { prompt: 'Which account?', state: STATE });
  const answer = { text: 'acme', state: JSON.stringify(STATE) };
  const settings = { url, messageId: 'run-uid-2' };
  const ended = await attempt(t, url, { settings, answer, number: 2 });
  t.is(ended.code, 0, ended.text);
  t.is(ended.said.output, 'done');
  t.deepEqual(seen, [SEND, LOOK, SEND, LOOK]);
  t.like(sent[1], { messageId: 'run-uid-2', taskId: TASK.id, contextId: TASK.contextId });
  t.like(sent[1], { parts: [{ text: 'acme' }] });
});

test('an answer that was handed on before is not handed on again', async (t) => {
  const { url, seen } = await endpoint(t, complete);
  const ended = await attempt(t, url, { answer: { text: 'acme', state: JSON.stringify(STATE) } });
  t.is(ended.code, 0, ended.text);
  t.deepEqual(seen, [LOOK], 'it goes on, so it has its answer');
});

const ANSWER = { text: 'acme', state: JSON.stringify(STATE) };
const { attempt: _, ...OLD_STATE } = STATE;

interface End {
  /** As the endpoint tells of the task; undefined: it knows none. */
  readonly task: object | undefined;
  readonly code: number;
}

const ENDS: Readonly<Record<string, End>> = {
  'has failed': { task: stateOf('FAILED'), code: 10 },
  'was declined': { task: stateOf('REJECTED'), code: 11 },
  'was cancelled': { task: stateOf('CANCELED'), code: 12 },
  'is forgotten': { task: undefined, code: 27 },
};

function stateOf(state: string): object {
  return { ...TASK, status: { state: `TASK_STATE_${state}` } };
}

for (const [how, { task, code }] of Object.entries(ENDS)) {
  const look: Answering = (rpc, response) =>
    task === undefined
      ? reply(response, 200, { jsonrpc: '2.0', id: rpc.id, error: { code: -32001, message: 'no such task' } })
      : result(response, rpc, task);

  test(`the first attempt with an answer tells that its task ${how}`, async (t) => {
    const { url, seen } = await endpoint(t, look);
    const ended = await attempt(t, url, { answer: ANSWER, number: 2 });
    t.is(ended.code, code, ended.text);
    t.deepEqual(seen, [LOOK]);
  });

  for (const [whose, state] of [
    ['a later one', STATE],
    ['one that does not know which it is', OLD_STATE],
  ] as const) {
    test(`${whose} begins anew when its task ${how}`, async (t) => {
      const sent: unknown[] = [];
      const { url, seen } = await endpoint(t, (rpc, response, request) => {
        if (rpc.method !== SEND) return look(rpc, response, request);
        sent.push((rpc.params as { readonly message?: unknown }).message);
        return result(response, rpc, { task: { ...completed, id: 'task-2' } });
      });
      const answer = { ...ANSWER, state: JSON.stringify(state) };
      const settings = { url, messageId: 'run-uid-3' };
      const ended = await attempt(t, url, { settings, answer, number: 3, input: 'pay' });
      t.is(ended.code, 0, ended.text);
      t.is(ended.said.output, 'done');
      t.deepEqual(seen, [LOOK, SEND]);
      t.like(sent[0], { messageId: 'run-uid-3', parts: [{ text: 'pay' }] });
      t.false('taskId' in (sent[0] as object));
    });
  }
}

test('what an earlier attempt cannot have left is told, and nothing is sent', async (t) => {
  const { url, seen } = await endpoint(t, complete);
  const ended = await attempt(t, url, { answer: { text: 'acme', state: '{"task":7}' } });
  t.is(ended.code, 2, ended.text);
  t.regex(ended.said.error?.message ?? '', /status\.question\.state: it names no task/);
  t.deepEqual(seen, []);
});

test('told to end while its message is on the way: the task is cancelled once it is known', async (t) => {
  let answer: (() => void) | undefined;
  const { url, seen } = await endpoint(t, (rpc, response) => {
    if (rpc.method !== 'SendMessage') return result(response, rpc, working);
    answer = () => result(response, rpc, { task: working });
    return undefined;
  });
  const program = await startProgram(t, { settings: { url }, input: 'go' });
  await eventually('the message is there', () => Promise.resolve(seen.includes(SEND)));
  program.child.kill('SIGTERM');
  answer?.();
  const ended = await program.ended();
  t.is(ended.code, 143, ended.text);
  t.deepEqual(seen, [SEND, 'CancelTask']);
});

test('told to end by an endpoint that will not cancel: the grace is kept', async (t) => {
  const { url } = await endpoint(
    t,
    taking((rpc, response) => (rpc.method === 'CancelTask' ? undefined : result(response, rpc, working))),
  );
  const program = await startProgram(t, { settings: { url, graceSeconds: 2 }, input: 'go' });
  await eventually('the task is taken', () => Promise.resolve(program.said().includes('took the task')));
  program.child.kill('SIGTERM');
  const ended = await program.ended();
  t.is(ended.code, 143, ended.text);
  t.regex(ended.said.error?.message ?? '', /could not have task task-1 cancelled/);
});
