// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../object.ts';
import { refusedDemands } from './refusals.ts';

const NOW = new Date('2026-11-21T12:00:00Z');

/** A refusal of an asker: it was told first and last so many seconds ago. */
interface Told {
  readonly asker: string;
  readonly first: number;
  readonly last: number;
}

function ago(seconds: number): string {
  return new Date(NOW.getTime() - seconds * 1000).toISOString();
}

function eventOf({ asker, first, last }: Told): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${asker}-${last}`, namespace: asker },
    involvedObject: { uid: asker },
    message: `pods is forbidden: exceeded quota: nexusos, requested: pods=1, used: pods=3, limited: pods=3`,
    firstTimestamp: ago(first),
    lastTimestamp: ago(last),
  };
}

const CASES: Readonly<Record<string, { readonly told: readonly Told[]; readonly want: readonly string[] }>> =
  {
    'who was refused just now counts': { told: [{ asker: 'a', first: 1, last: 1 }], want: ['a'] },
    'who asked once and was silent for more than a minute does not': {
      told: [{ asker: 'a', first: 61, last: 61 }],
      want: [],
    },
    'who was refused for 82 s comes again after 82 s more, and counts until well after that': {
      told: [{ asker: 'a', first: 82 + 160, last: 160 }],
      want: ['a'],
    },
    'but not for ever': { told: [{ asker: 'a', first: 82 + 170, last: 170 }], want: [] },
    'who has asked for long is silent for up to 1000 s': {
      told: [
        { asker: 'a', first: 5000, last: 1050 },
        { asker: 'b', first: 5000, last: 1070 },
      ],
      want: ['a'],
    },
    'an Event of five minutes ago counts when it was one of many': {
      told: [{ asker: 'a', first: 600, last: 300 }],
      want: ['a'],
    },
    'several Events of one asker are one refusal, from the first to the last': {
      told: [
        { asker: 'a', first: 400, last: 390 },
        { asker: 'a', first: 300, last: 200 },
      ],
      want: ['a'],
    },
    'the longest waiting goes first, and who has been silent for a while last': {
      told: [
        { asker: 'silent', first: 900, last: 400 },
        { asker: 'young', first: 2, last: 2 },
        { asker: 'old', first: 40, last: 30 },
      ],
      want: ['old', 'young', 'silent'],
    },
  };

for (const [title, { told, want }] of Object.entries(CASES)) {
  test(title, (t) => {
    t.deepEqual(
      refusedDemands(told.map(eventOf), NOW).map(({ namespace }) => namespace),
      want,
    );
  });
}
