// SPDX-License-Identifier: Apache-2.0
// The program as a process, against agents of the A2A project's own SDK.
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import { startAgent } from './testing/agent-server.ts';
import { runAttempt, startProgram } from './testing/program.ts';

const text = (words: string) => ({ artifactId: 'a', parts: [{ text: words }] });
const WORKING = { status: { state: 'TASK_STATE_WORKING' } };
const ASKS = {
  status: {
    state: 'TASK_STATE_INPUT_REQUIRED',
    message: { messageId: 'm', role: 'ROLE_AGENT', parts: [{ text: 'Which account?' }] },
  },
};
const FAILED = { status: { state: 'TASK_STATE_FAILED' } };
const DONE = { status: { state: 'TASK_STATE_COMPLETED' }, artifacts: [text('all is well')] };

const answerTo = (state: unknown) => ({ text: 'acme', state: JSON.stringify(state) });

for (const version of ['1.0', '0.3'] as const) {
  test(`${version}: an agent that works for a while, found by its card`, async (t) => {
    const usage = { 'nexusos.dev/usage': { inputTokens: 120, toolCalls: 2 } };
    const done = { ...DONE, metadata: usage };
    const steps = [{ task: WORKING }, { afterMs: 400, task: done }];
    const agent = await startAgent(t, { steps }, [version]);
    const ended = await runAttempt(t, {
      settings: { cardUrl: `${agent.url}/.well-known/agent-card.json`, contextId: 'session-1' },
      input: '{"document":"q3"}',
      parameters: { topic: 'revenue' },
    });
    t.is(ended.code, 0, ended.text + ended.log);
    t.deepEqual(ended.said, { output: 'all is well', usage: { inputTokens: 120, toolCalls: 2 } });
    t.is(agent.messages.length, 1);
    const [message] = agent.messages;
    t.is(message?.['messageId'], 'run-uid-1');
    t.is(message?.['contextId'], 'session-1');
    t.deepEqual(message?.['metadata'], {
      'nexusos.dev/run': 'report',
      'nexusos.dev/attempt': 1,
      'nexusos.dev/parameters': { topic: 'revenue' },
    });
    t.regex(JSON.stringify(message?.['parts']), /"document":"q3"/);
    t.false(ended.log.includes('q3'), 'what is said to the agent is in no log');
  });

  test(`${version}: an agent without a card, that knows one generation alone`, async (t) => {
    const agent = await startAgent(t, { steps: [{ task: DONE }] }, [version]);
    const ended = await runAttempt(t, { settings: { url: `${agent.url}/a2a` }, input: 'plain words' });
    t.is(ended.code, 0, ended.text + ended.log);
    t.is(ended.said.output, 'all is well');
    t.is(agent.messages.length, 1, 'the message was taken once');
    t.regex(JSON.stringify(agent.messages[0]?.['parts']), /plain words/);
  });

  test(`${version}: a task that fails after an answer is told once, and the next attempt begins anew`, async (t) => {
    const scripts = [{ steps: [{ task: ASKS }] }, { steps: [{ task: FAILED }] }, { steps: [{ task: DONE }] }];
    const agent = await startAgent(t, scripts, [version]);
    const run = (number: number, state?: unknown) =>
      runAttempt(t, {
        settings: { url: `${agent.url}/a2a`, messageId: `run-uid-${number}` },
        input: 'pay',
        number,
        ...(state !== undefined && { answer: answerTo(state) }),
      });
    const asked = await run(1);
    t.is(asked.said.inputRequired?.prompt, 'Which account?', asked.text + asked.log);
    const state = asked.said.inputRequired?.state;
    t.is((await run(2, state)).code, 10);
    const third = await run(3, state);
    t.is(third.code, 0, third.text + third.log);
    t.is(third.said.output, 'all is well');
    const [first, second, last] = agent.messages;
    t.is(second?.['taskId'], first?.['taskId']);
    t.not(last?.['taskId'], first?.['taskId']);
    t.regex(JSON.stringify([first, second, last].map((one) => one?.['parts'])), /pay.*acme.*pay/);
    t.is(agent.messages.length, 3);
  });

  test(`${version}: one that is told to end after an answer has the next one begin anew`, async (t) => {
    const scripts = [
      { steps: [{ task: ASKS }] },
      { steps: [{ task: WORKING }, { afterMs: 60_000, task: DONE }] },
      { steps: [{ task: DONE }] },
    ];
    const agent = await startAgent(t, scripts, [version]);
    const inputOf = (number: number) => ({
      settings: { url: `${agent.url}/a2a`, messageId: `run-uid-${number}` },
      input: 'pay',
      number,
    });
    const asked = await runAttempt(t, inputOf(1));
    const answer = answerTo(asked.said.inputRequired?.state);
    const paused = await startProgram(t, { ...inputOf(2), answer });
    await eventually('the agent has the answer', () => Promise.resolve(agent.messages.length === 2));
    paused.child.kill('SIGTERM');
    t.is((await paused.ended()).code, 143);
    t.is(agent.cancelled.length, 1);
    const third = await runAttempt(t, { ...inputOf(3), answer });
    t.is(third.code, 0, third.text + third.log);
    t.regex(JSON.stringify(agent.messages[2]?.['parts']), /pay/);
  });

  test(`${version}: SIGTERM has the task cancelled`, async (t) => {
    const agent = await startAgent(t, { steps: [{ task: WORKING }, { afterMs: 60_000, task: DONE }] }, [
      version,
    ]);
    const program = await startProgram(t, { settings: { url: `${agent.url}/a2a` }, input: 'go' });
    await eventually('the agent works', () => Promise.resolve(agent.messages.length > 0));
    program.child.kill('SIGTERM');
    const ended = await program.ended();
    t.is(ended.code, 143, ended.text + ended.log);
    t.is(agent.cancelled.length, 1);
    t.regex(ended.said.error?.message ?? '', /had task .* cancelled/);
  });
}

for (const [state, code, says] of [
  ['FAILED', 10, /^the agent failed: no such document$/],
  ['REJECTED', 11, /^the agent declined the task: no such document$/],
  ['CANCELED', 12, /^the task was cancelled at the endpoint/],
  ['AUTH_REQUIRED', 13, /asks for somebody to log in.*: no such document$/],
] as const) {
  test(`a task that is ${state}`, async (t) => {
    const message = { messageId: 'm', role: 'ROLE_AGENT', parts: [{ text: 'no such document' }] };
    const task = { status: { state: `TASK_STATE_${state}`, message } };
    const agent = await startAgent(t, { steps: [{ task }] });
    const ended = await runAttempt(t, { settings: { url: `${agent.url}/a2a` }, input: 'go' });
    t.is(ended.code, code, ended.text + ended.log);
    t.regex(ended.said.error?.message ?? '', says);
    t.is(agent.cancelled.length, state === 'AUTH_REQUIRED' ? 1 : 0, 'nobody is left waiting at the endpoint');
  });
}

test('a program that is killed leaves its task, and the next attempt makes another', async (t) => {
  const agent = await startAgent(t, { steps: [{ task: WORKING }, { afterMs: 60_000, task: DONE }] });
  const settings = { url: `${agent.url}/a2a` };
  const first = await startProgram(t, { settings, input: 'go' });
  await eventually('the agent works', () => Promise.resolve(agent.messages.length === 1));
  first.child.kill('SIGKILL');
  t.is((await first.ended()).text, '{}', 'it says nothing');
  const second = await startProgram(t, { settings: { ...settings, messageId: 'run-uid-2' }, input: 'go' });
  await eventually('it is asked again', () => Promise.resolve(agent.messages.length === 2));
  t.deepEqual(
    agent.messages.map(({ messageId }) => messageId),
    ['run-uid-1', 'run-uid-2'],
  );
  second.child.kill('SIGKILL');
  await second.ended();
});

test('files by reference are artifacts, and what is too long is cut', async (t) => {
  const parts = [
    { text: 'x'.repeat(10_000) },
    { url: 'https://files.example.com/report.pdf', filename: 'report.pdf' },
    { raw: Buffer.from('abc').toString('base64'), filename: 'inline.bin' },
  ];
  const task = { status: { state: 'TASK_STATE_COMPLETED' }, artifacts: [{ artifactId: 'a', parts }] };
  const agent = await startAgent(t, { steps: [{ task }] });
  const ended = await runAttempt(t, { settings: { url: `${agent.url}/a2a` }, input: 'go' });
  t.is(ended.code, 0, ended.text + ended.log);
  t.true(Buffer.byteLength(ended.text) <= 4096);
  t.deepEqual(ended.said.artifacts, [{ name: 'report.pdf', uri: 'https://files.example.com/report.pdf' }]);
  t.regex(String(ended.said.output), /^x{3000,}\n\[cut here: it has 10\d\d\d bytes\]$/);
});
