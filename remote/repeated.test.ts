// SPDX-License-Identifier: Apache-2.0
// The program as a process, against endpoints that repeat the credential that they were shown.
import test from 'ava';
import { attempt, completed, endpoint, result, TASK, taking, working } from './testing/endpoint.ts';
import { reply } from './testing/server.ts';

const CREDENTIAL = 'a"long\\secret';
const asking = { ...TASK, status: { state: 'TASK_STATE_INPUT_REQUIRED' } };

for (const [name, parts, want] of [
  ['in data', [{ data: { said: CREDENTIAL } }], { said: '***' }],
  ['in data beside words', [{ text: 'see' }, { data: { said: CREDENTIAL } }], 'see\n{"said":"***"}'],
] as const) {
  test(`a credential that JSON escapes is hidden ${name}`, async (t) => {
    const task = { ...completed, artifacts: [{ artifactId: 'a', parts }] };
    const { url } = await endpoint(t, (rpc, response) => result(response, rpc, { task }));
    const ended = await attempt(t, url, { credential: CREDENTIAL });
    t.is(ended.code, 0, ended.text);
    t.deepEqual(ended.said.output, want);
  });
}

test('a credential across the cut of an error is hidden whole', async (t) => {
  const message = `${'x'.repeat(495)}${CREDENTIAL}`;
  const { url } = await endpoint(t, ({ id }, response) =>
    reply(response, 200, { jsonrpc: '2.0', id, error: { code: -32602, message } }),
  );
  const ended = await attempt(t, url, { credential: CREDENTIAL });
  t.is(ended.code, 23, ended.text);
  t.regex(ended.said.error?.message ?? '', /x{495}\*\*\*$/);
});

for (const [name, answer] of Object.entries({
  'the id of a task': { ...asking, id: `task-${CREDENTIAL}` },
  'the id of a context': { ...asking, contextId: CREDENTIAL },
})) {
  test(`${name} that holds the credential is kept nowhere`, async (t) => {
    const { url } = await endpoint(t, (rpc, response) => result(response, rpc, { task: answer }));
    const ended = await attempt(t, url, { credential: CREDENTIAL });
    t.is(ended.code, 24, ended.text);
    t.regex(ended.said.error?.message ?? '', /holds the credential of spec\.remote\.auth/);
    t.notRegex(ended.text + ended.log, /long|secret/);
  });
}

test('the id of a context that comes later and holds the credential is kept nowhere', async (t) => {
  const later = taking((rpc, response) => result(response, rpc, { ...asking, contextId: CREDENTIAL }));
  const { contextId: _, ...first } = working;
  const { url } = await endpoint(t, (rpc, response, request) =>
    rpc.method === 'SendMessage' ? result(response, rpc, { task: first }) : later(rpc, response, request),
  );
  const ended = await attempt(t, url, { credential: CREDENTIAL });
  t.is(ended.code, 24, ended.text);
  t.notRegex(ended.text + ended.log, /long|secret/);
});
