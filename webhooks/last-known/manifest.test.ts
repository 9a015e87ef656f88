// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ageMsOf, type Manifest, manifestOf, readManifest, whyNot } from './manifest.ts';

const KEEPER = { program: '1.2.3', place: 'here' };
const WHAT = { cluster: 'uid', seenAt: '2026-11-23T12:00:00.000Z', body: 'b', digest: 'd' };
const USE = { ...KEEPER, maxAgeMs: 60_000 };
const MANIFEST = manifestOf(KEEPER, WHAT);

const at = (time: string): Date => new Date(`2026-11-23T${time}.000Z`);

const CASES: readonly (readonly [what: string, manifest: Manifest, now: Date, why: RegExp | undefined])[] = [
  ['as old as may be', MANIFEST, at('12:01:00'), undefined],
  ['a second older', MANIFEST, at('12:01:01'), /more than 60 s ago/],
  ['by a clock that is a minute ahead', MANIFEST, at('11:59:00'), undefined],
  ['still to come', MANIFEST, at('11:58:59'), /still to come/],
  ['of no time', { ...MANIFEST, seenAt: 'once' }, at('12:00:00'), /is no time/],
  [
    'by another version',
    { ...MANIFEST, program: '1.2.2' },
    at('12:00:00'),
    /by version 1\.2\.2, not 1\.2\.3/,
  ],
  ['of another place', { ...MANIFEST, place: 'there' }, at('12:00:00'), /another API server/],
  ['in another format', { ...MANIFEST, format: 2 }, at('12:00:00'), /format 2, not 1/],
];

for (const [what, manifest, now, why] of CASES) {
  test(`what was kept ${what} is ${why === undefined ? '' : 'not '}used`, (t) => {
    const said = whyNot(manifest, { ...USE, now });
    if (why === undefined) t.is(said, undefined);
    else t.regex(said ?? '', why);
  });
}

test('nothing is used where nothing may be', (t) => {
  t.regex(whyNot(MANIFEST, { ...USE, maxAgeMs: 0, now: at('12:00:01') }) ?? '', /more than 0 s ago/);
});

test('a manifest is read as it was written, and nothing else is one', (t) => {
  t.deepEqual(readManifest(JSON.stringify(MANIFEST)), MANIFEST);
  for (const text of ['', 'null', '7', '{}', JSON.stringify({ ...MANIFEST, cluster: 7 })])
    t.is(readManifest(text), undefined, text);
});

const UP = { boot: 'one', upMs: 5_000 };

const AGES: Readonly<
  Record<string, { readonly kept?: Partial<Manifest>; readonly up?: typeof UP; readonly want: number }>
> = {
  'by the clock alone where nothing else is known': { want: 10_000 },
  'by the clock where the machine was started anew': {
    kept: UP,
    up: { boot: 'other', upMs: 900_000 },
    want: 10_000,
  },
  'by what the machine has run where the clock is behind': {
    kept: UP,
    up: { boot: 'one', upMs: 905_000 },
    want: 900_000,
  },
  'by the clock where the machine counts less': { kept: UP, up: { boot: 'one', upMs: 6_000 }, want: 10_000 },
  'by the clock where what is said of the machine is no number': {
    kept: { boot: 'one', upMs: 'x' as unknown as number },
    up: { boot: 'one', upMs: 905_000 },
    want: 10_000,
  },
};

for (const [what, { kept, up, want }] of Object.entries(AGES)) {
  test(`its age is told ${what}`, (t) => {
    t.is(ageMsOf({ ...WHAT, ...kept }, at('12:00:10'), up), want);
  });
}
