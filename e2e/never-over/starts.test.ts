// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { createsPod, createsRun, deletesPod, type Forged, tellsPod, tellsRun, trailOf } from './forged.ts';
import { doubleStarts, lostRuns } from './starts.ts';

const STARTS: Readonly<Record<string, readonly [readonly Forged[], readonly RegExp[]]>> = {
  'one pod of one Run': [[createsRun('a'), createsPod('a')], []],
  'an attempt after one that failed': [[createsPod('a'), tellsPod('a', 'Failed'), createsPod('a', 2)], []],
  'the same attempt twice, after it was deleted': [
    [
      createsPod('a'),
      deletesPod('a', 0),
      { ...createsPod('a'), metadata: { ...createsPod('a').metadata, uid: 'another' } },
    ],
    [/^acme-main\/a-1: a pod of that attempt was made before$/],
  ],
  'an attempt beside one that still ends': [
    [createsPod('a'), deletesPod('a', 30), createsPod('a', 2)],
    [/^acme-main\/a-2: a-1 has not ended$/],
  ],
  'an attempt after one that succeeded': [
    [createsPod('a'), tellsPod('a', 'Succeeded'), createsPod('a', 2)],
    [/a-1 has succeeded/],
  ],
  'an attempt of a Run that was cancelled before': [
    [createsRun('a'), tellsRun('a', 'Cancelled'), createsPod('a')],
    [/its Run had come to its end/],
  ],
  'two Runs of one key': [
    [
      createsRun('a', { idempotencyKey: 'k' }),
      createsRun('b', { idempotencyKey: 'k' }),
      createsPod('b'),
      createsPod('a'),
    ],
    [/a is not the first that has started with the key k/],
  ],
  'two Runs of two keys': [
    [
      createsRun('a', { idempotencyKey: 'k' }),
      createsRun('b', { idempotencyKey: 'l' }),
      createsPod('a'),
      createsPod('b'),
    ],
    [],
  ],
};

for (const [title, [trail, want]] of Object.entries(STARTS)) {
  test(`starts: ${title}`, (t) => {
    const found = doubleStarts(trailOf(...trail));
    t.is(found.length, want.length, found.join('\n'));
    for (const [index, pattern] of want.entries()) t.regex(found[index] ?? '', pattern);
  });
}

test('a Run is lost that was created and has not come to an end', (t) => {
  const trail = trailOf(
    createsRun('a'),
    createsRun('b'),
    tellsRun('b', 'Running'),
    createsRun('c'),
    tellsRun('c', 'Failed'),
  );
  t.deepEqual(lostRuns(trail), ['acme-main/a', 'acme-main/b']);
});
