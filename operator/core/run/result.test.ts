// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { result as schema } from '#crds/v1alpha1/run-result';
import { addReported, readSaid, type Said } from './result.ts';

const TWICE = JSON.stringify({
  artifacts: [
    { name: 'a', uri: 's3://b/1' },
    { name: 'a', uri: 's3://b/2' },
  ],
});
const NOT_OURS = '{"level":"info"}';

const cases: Record<string, { readonly message: string | undefined; readonly want: Said }> = {
  'nothing said': { message: undefined, want: {} },
  'an empty message': { message: '', want: {} },
  'a text': { message: 'done: 3 pages', want: { text: 'done: 3 pages' } },
  'JSON that is not of our form': { message: NOT_OURS, want: { text: NOT_OURS } },
  'JSON that is no object': { message: '[1, 2]', want: { text: '[1, 2]' } },
  'half of an object': { message: '{"output": "x', want: { text: '{"output": "x' } },
  'an output': { message: '{"output":"3 pages"}', want: { result: { output: '3 pages' } } },
  'an output that is an object': {
    message: '{"output":{"pages":3}}',
    want: { result: { output: '{"pages":3}' } },
  },
  'an output with numbers that no double holds': {
    message: '{"output":[12345678901234567890, 1e20, {"n":0.10}]}',
    want: { result: { output: '[12345678901234567890,1e20,{"n":0.10}]' } },
  },
  'references, usage and a key that is for others': {
    message:
      '{"outputUri":"s3://b/out","artifacts":[{"name":"a","uri":"s3://b/a","sizeBytes":5}],"usage":{"toolCalls":2},"trace":"x"}',
    want: {
      result: { outputUri: 's3://b/out', artifacts: [{ name: 'a', uri: 's3://b/a', sizeBytes: 5 }] },
      usage: { toolCalls: 2 },
    },
  },
  'why it failed': {
    message: '{"error":{"message":"the model is away","retryable":true}}',
    want: { error: { message: 'the model is away', retryable: true } },
  },
  'why it failed, with a code': {
    message: '{"error":{"message":"the model is away","code":"dependency_unavailable"}}',
    want: { error: { message: 'the model is away', code: 'dependency_unavailable' } },
  },
  "why it failed, with a code of its own, which is nobody else's": {
    message: '{"error":{"message":"the model is away","code":"E42"}}',
    want: { error: { message: 'the model is away', code: undefined } },
  },
  'a question': {
    message: '{"inputRequired":{"prompt":"Which account?"}}',
    want: { asks: { prompt: 'Which account?' } },
  },
  'a question with what is to be kept, digit by digit, and what it has used': {
    message:
      '{"inputRequired":{"prompt":"Pay?","schema":{"type":"boolean"},"state":{"id":12345678901234567890},"stateUri":"s3://b/s"},"usage":{"toolCalls":1}}',
    want: {
      asks: {
        prompt: 'Pay?',
        schema: '{"type":"boolean"}',
        state: '{"id":12345678901234567890}',
        stateUri: 's3://b/s',
      },
      usage: { toolCalls: 1 },
    },
  },
  'a question with a state that is a text': {
    message: '{"inputRequired":{"prompt":"Pay?","state":"step 3"}}',
    want: { asks: { prompt: 'Pay?', state: 'step 3' } },
  },
  'a question that asks nothing': {
    message: '{"inputRequired":{"prompt":""}}',
    want: { text: '{"inputRequired":{"prompt":""}}' },
  },
  'an address that is none': { message: '{"outputUri":"here"}', want: { text: '{"outputUri":"here"}' } },
  'an artifact twice': { message: TWICE, want: { text: TWICE } },
  'usage that is less than nothing': {
    message: '{"usage":{"toolCalls":-5}}',
    want: { text: '{"usage":{"toolCalls":-5}}' },
  },
};

for (const [name, { message, want }] of Object.entries(cases)) {
  test(`what a container says: ${name}`, (t) => t.deepEqual(readSaid(message), want));
}

test('however long and odd a message is, what is kept of it fits the schema', (t) => {
  const long = 'x'.repeat(100_000);
  for (const message of [long, JSON.stringify({ output: long }), JSON.stringify({ output: [long] })]) {
    const said = readSaid(message);
    t.true(schema.safeParse(said.result ?? { output: said.text }).success);
  }
  const deep = `${'['.repeat(2000)}${']'.repeat(2000)}`;
  t.deepEqual(readSaid(deep), { text: deep });
});

test('what attempts report adds up, and stays within its bound', (t) => {
  const first = addReported(undefined, { toolCalls: 2 });
  t.deepEqual(first, { toolCalls: 2 });
  const second = addReported(first, { toolCalls: 3, inputTokens: 1e12 });
  t.deepEqual(second, { toolCalls: 5, inputTokens: 1e12 });
  t.is(addReported(second, { inputTokens: 7 })?.inputTokens, 1e12);
  t.is(addReported(undefined, {}), undefined);
});
