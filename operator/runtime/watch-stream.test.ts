// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { MalformedEventError, parseEvent } from './watch-stream.ts';

const POD = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', resourceVersion: '7' } };
const line = (type: string, object: unknown) => JSON.stringify({ type, object });

test('every type of event is told apart', (t) => {
  t.deepEqual(parseEvent(line('ADDED', POD)), { type: 'put', object: POD });
  t.deepEqual(parseEvent(line('MODIFIED', POD)), { type: 'put', object: POD });
  t.deepEqual(parseEvent(line('DELETED', POD)), { type: 'delete', object: POD });
  t.deepEqual(parseEvent(line('BOOKMARK', { metadata: { resourceVersion: '9' } })), {
    type: 'bookmark',
    resourceVersion: '9',
    endsInitial: false,
  });
  const annotations = { 'k8s.io/initial-events-end': 'true' };
  t.like(parseEvent(line('BOOKMARK', { metadata: { resourceVersion: '9', annotations } })), {
    endsInitial: true,
  });
  t.deepEqual(parseEvent(line('ERROR', { kind: 'Status', metadata: {}, code: 410, message: 'too old' })), {
    type: 'error',
    status: 410,
    message: 'too old',
  });
});

const MALFORMED: Record<string, string> = {
  'half a line': '{"type":"ADDED","obj',
  'not an object': '7',
  'no object': '{"type":"ADDED"}',
  'an object without metadata': '{"type":"ADDED","object":{}}',
  'a type that nobody knows': line('RENAMED', POD),
  'a bookmark without version': line('BOOKMARK', { metadata: {} }),
};

for (const [sentence, text] of Object.entries(MALFORMED)) {
  test(`malformed: ${sentence}`, (t) => {
    t.throws(() => parseEvent(text), { instanceOf: MalformedEventError });
  });
}
