// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Resource } from '#operator/core/object';
import { KeptKinds } from './kept-kinds.ts';
import type { KindWatch } from './kind-watches.ts';

const PODS: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const NODES: Resource = { apiVersion: 'v1', kind: 'Node', plural: 'nodes', namespaced: false };

/** Kinds, and the watches that were opened for them. */
function world() {
  const opened: {
    kind: string;
    fields: readonly string[] | undefined;
    isClosed: boolean;
    sync: () => void;
  }[] = [];
  const told: string[] = [];
  const kinds = new KeptKinds(
    ({ kind }, onChange, fields) => {
      let isSynced = false;
      const one = {
        kind,
        fields,
        isClosed: false,
        sync: () => {
          isSynced = true;
          onChange();
        },
      };
      opened.push(one);
      const watch = {
        get isSynced() {
          return isSynced;
        },
        toldAtMs: opened.length,
        close: () => (one.isClosed = true),
      };
      return watch as unknown as KindWatch;
    },
    ({ kind }) => told.push(kind),
  );
  return { kinds, opened, told };
}

test('what is kept of a kind is what its readers name, in one watch', (t) => {
  const { kinds, opened } = world();
  const [a, b] = [
    { resource: PODS, fields: ['spec.nodeName', 'metadata.labels'] },
    { resource: PODS, fields: ['metadata.labels'] },
  ];
  kinds.keep([a, b, { resource: NODES, fields: undefined }]);
  t.deepEqual(
    opened.map(({ kind, fields }) => [kind, fields]),
    [
      ['Pod', ['metadata.labels', 'spec.nodeName']],
      ['Node', undefined],
    ],
  );
  t.is(kinds.watchFor(a), kinds.watchFor(b));
  kinds.keep([b]);
  t.deepEqual(
    opened.map(({ isClosed }) => isClosed),
    [false, true],
    'less is enough for nobody to read all anew',
  );
});

test('who reads more waits for a watch that has it, and the others go on meanwhile', (t) => {
  const { kinds, opened, told } = world();
  const small = { resource: PODS, fields: ['spec.nodeName'] };
  const whole = { resource: PODS, fields: undefined };
  kinds.keep([small]);
  opened[0]!.sync();
  const before = kinds.watchFor(small);
  t.true(before?.isSynced);
  kinds.keep([small, whole]);
  kinds.keep([small, whole]);
  t.is(opened.length, 2);
  t.is(kinds.watchFor(small), before);
  t.is(kinds.watchFor(whole), undefined);
  t.false(opened[0]!.isClosed);
  told.length = 0;
  opened[1]!.sync();
  t.deepEqual(told, ['Pod']);
  t.true(opened[0]!.isClosed);
  t.is(kinds.watchFor(small), kinds.watchFor(whole));
  t.true(kinds.watchFor(whole)?.isSynced);
});

test('a watch that is no more, or not in use yet, tells nobody', (t) => {
  const { kinds, opened, told } = world();
  const [a, b, c] = ['a', 'b', 'c'].map((field) => ({ resource: PODS, fields: [field] }));
  kinds.keep([a!]);
  opened[0]!.sync();
  kinds.keep([a!, b!]);
  kinds.keep([a!, b!, c!]);
  t.deepEqual(
    opened.map(({ isClosed }) => isClosed),
    [false, true, false],
  );
  told.length = 0;
  opened[1]!.sync();
  t.deepEqual(told, [], 'what was replaced before it was read');
  opened[2]!.sync();
  opened[0]!.sync();
  t.deepEqual(told, ['Pod']);
  kinds.close();
  t.true(opened.every(({ isClosed }) => isClosed));
});
