// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { createsPod, createsRun, deletesPod, type Forged, linesOf, tellsPod, trailOf } from './forged.ts';
import { hasEnded, inOrder, lastOf, momentOfObject, momentsOf, phaseOfPod } from './trail.ts';

const NO_WRITES: Readonly<Record<string, Partial<Forged>>> = {
  'a read': { verb: 'get' },
  'what was refused': { code: 403 },
  'a dry run': { uri: '/api/v1/namespaces/acme-main/pods?fieldManager=x&dryRun=All' },
  'the beginning of a request': { stage: 'RequestReceived' },
  'an answer that is no object': { metadata: { uid: undefined } },
};

for (const [title, forged] of Object.entries(NO_WRITES)) {
  test(`no moment: ${title}`, (t) => {
    t.deepEqual(trailOf({ ...createsPod('a'), ...forged }), []);
    t.is(trailOf(createsPod('a')).length, 1);
  });
}

function order(lines: readonly string[]) {
  return momentsOf(lines).map(({ resource, isFirst }) => [resource, isFirst]);
}

test('moments are in the order of the commits, in whatever order they were answered', (t) => {
  const lines = linesOf(createsRun('a'), createsPod('a'), tellsPod('a', 'Running'));
  t.deepEqual(order(lines.toReversed()), order(lines));
  t.deepEqual(order(lines), [
    ['runs', true],
    ['pods', true],
    ['pods', false],
  ]);
});

const ENDS: Readonly<Record<string, readonly [Forged, boolean]>> = {
  'a new one holds what it asks for': [createsPod('a'), false],
  'one that runs does': [tellsPod('a', 'Running'), false],
  'one that is told to end does until it has': [deletesPod('a', 30), false],
  'one that was deleted and has nothing to end does not': [deletesPod('a', 0), true],
  'one that succeeded does not': [tellsPod('a', 'Succeeded'), true],
  'one that failed does not': [tellsPod('a', 'Failed'), true],
};

for (const [title, [forged, want]] of Object.entries(ENDS)) {
  test(`of pods ${title}`, (t) => {
    const [moment] = trailOf(forged);
    t.is(moment && hasEnded(moment.object), want);
  });
}

test('what was made without an answer is made when it is first seen, and its last is that of the end', (t) => {
  const [running] = trailOf(tellsPod('a', 'Running'));
  t.true(running?.isFirst);
  const [ended] = trailOf({
    ...tellsPod('a', 'Failed'),
    metadata: { ...tellsPod('a', 'x').metadata, resourceVersion: '900' },
  });
  const all = inOrder([momentOfObject('pods', ended!.object), running!]);
  t.deepEqual(
    all.map(({ isFirst, version }) => [isFirst, version]),
    [
      [true, 100],
      [false, 900],
    ],
  );
  t.is(phaseOfPod([...lastOf(all, 'pods').values()][0]!), 'Failed');
});
