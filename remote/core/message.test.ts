// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { generationOf } from './generation.ts';
import { depthOf, parseJson } from './json.ts';
import { type Given, outgoing } from './message.ts';

const cases: Record<string, { given: Partial<Given>; wantNew: object; wantOld: object }> = {
  text: {
    given: { input: { text: 'hello' } },
    wantNew: { text: 'hello' },
    wantOld: { kind: 'text', text: 'hello' },
  },
  'a JSON object': {
    given: { input: { text: '{"a":1}' } },
    wantNew: { data: { a: 1 } },
    wantOld: { kind: 'data', data: { a: 1 } },
  },
  'JSON that is no object': {
    given: { input: { text: '[1]' } },
    wantNew: { text: '[1]' },
    wantOld: { kind: 'text', text: '[1]' },
  },
  bytes: {
    given: { input: { base64: 'AAE=' } },
    wantNew: { raw: 'AAE=', mediaType: 'application/octet-stream' },
    wantOld: { kind: 'file', file: { bytes: 'AAE=', mimeType: 'application/octet-stream' } },
  },
  'an address': {
    given: { input: { uri: 's3://b/c' } },
    wantNew: { url: 's3://b/c' },
    wantOld: { kind: 'file', file: { uri: 's3://b/c' } },
  },
  'parameters alone': {
    given: { parameters: { topic: 'x' } },
    wantNew: { data: { topic: 'x' } },
    wantOld: { kind: 'data', data: { topic: 'x' } },
  },
  nothing: { given: {}, wantNew: { text: '' }, wantOld: { kind: 'text', text: '' } },
};

test('how far the agent may go goes with the message, where it is bounded', (t) => {
  const given = { run: 'r', attempt: 1, bounds: { tools: ['search'], maxSteps: 5 } };
  t.deepEqual(outgoing(given, { messageId: 'm' }).metadata, {
    'nexusos.dev/run': 'r',
    'nexusos.dev/attempt': 1,
    'nexusos.dev/tools': ['search'],
    'nexusos.dev/max-steps': 5,
  });
});

for (const [name, { given, wantNew, wantOld }] of Object.entries(cases)) {
  test(`a message of ${name}`, (t) => {
    const message = outgoing({ run: 'r', attempt: 2, ...given }, { messageId: 'm', contextId: 'c' });
    const metadata = {
      'nexusos.dev/run': 'r',
      'nexusos.dev/attempt': 2,
      ...(given.parameters && { 'nexusos.dev/parameters': given.parameters }),
    };
    const ids = { messageId: 'm', contextId: 'c', metadata };
    t.deepEqual(generationOf('1.0').send(message), {
      method: 'SendMessage',
      params: {
        message: { role: 'ROLE_USER', ...ids, parts: [wantNew] },
        configuration: { returnImmediately: true, historyLength: 0 },
      },
    });
    t.deepEqual(generationOf('0.3').send(message), {
      method: 'message/send',
      params: {
        message: { kind: 'message', role: 'user', ...ids, parts: [wantOld] },
        configuration: { blocking: false, historyLength: 0 },
      },
    });
  });
}

for (const [text, want] of [
  ['', 0],
  ['1', 0],
  ['{"a":[1,{"b":2}]}', 3],
  ['"[[[["', 0],
  [String.raw`["\"[[[", "\\", []]`, 2],
  ['['.repeat(1_000_000), 1_000_000],
] as const) {
  test(`depth of ${text.slice(0, 20)}`, (t) => {
    t.is(depthOf(text), want);
  });
}

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

test('JSON is read to a depth of 64, and no deeper', (t) => {
  t.is(parseJson(nested(64)).kind, 'json');
  t.is(parseJson(nested(65)).kind, 'unread');
});
