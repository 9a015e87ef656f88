// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { sessionDigest } from '../quota/sessions.ts';
import { bodyDigest, differingFields, keyDigest } from './idempotency.ts';
import type { Run } from './run.ts';
import { makeRun } from './testing/make.ts';

interface Names {
  readonly namespace: string;
  readonly agent: string;
  /** Both its key and its session. */
  readonly text: string;
}

function runOf({ namespace, agent, text }: Names): Run {
  const { metadata, ...run } = makeRun({ agentRef: { name: agent }, idempotencyKey: text, session: text });
  return { ...run, metadata: { ...metadata, namespace } };
}

/** Names that run into each other where the joint between two of them could be a part of one. */
const NAMES: readonly Names[] = [
  { namespace: 'a', agent: 'b', text: 'c/d' },
  { namespace: 'a', agent: 'b', text: 'c' },
  { namespace: 'a', agent: 'b-c', text: 'd' },
  { namespace: 'a-b', agent: 'c', text: 'd' },
  { namespace: 'a', agent: 'b', text: 'b/c/d' },
  { namespace: 'a', agent: 'b', text: '/c/d' },
  { namespace: 'a', agent: 'b', text: 'C/d' },
  { namespace: 'a', agent: 'b', text: 'c/ d' },
  { namespace: 'a', agent: 'b', text: 'c%2Fd' },
  { namespace: 'a', agent: 'c', text: 'c/d' },
];

test('sessions that differ in namespace, Agent or text have different digests', (t) => {
  t.is(new Set(NAMES.map((names) => sessionDigest(runOf(names)))).size, NAMES.length);
});

test('keys that differ in namespace or text have different digests, whatever their Agents', (t) => {
  const ids = NAMES.map(({ namespace, text }) => JSON.stringify([namespace, text]));
  const digests = NAMES.map((names) => keyDigest(runOf(names)));
  t.is(new Set(digests).size, new Set(ids).size);
  for (const [i, id] of ids.entries()) t.is(digests[i], digests[ids.indexOf(id)]);
});

test('no priority is one of 0, whoever says so: the same Run is asked for', (t) => {
  const [silent, said, urgent] = [makeRun(), makeRun({ priority: 0 }), makeRun({ priority: 1 })];
  t.is(bodyDigest(silent), bodyDigest(said));
  t.deepEqual(differingFields(silent, said), []);
  t.deepEqual(differingFields(silent, urgent), ['priority']);
});
