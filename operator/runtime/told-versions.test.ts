// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ToldVersions } from './told-versions.ts';

test('what was told when something was sent is known, or less than that', (t) => {
  const told = new ToldVersions();
  t.is(told.knownWhenSent(5), undefined);
  told.begin(10n, 100);
  for (const [atMs, version] of [
    [105, 11n],
    [110, 12n],
    [111, 13n],
    [140, 14n],
  ] as const)
    told.note(version, atMs);
  const cases = { 99: undefined, 100: 10n, 105: 10n, 110: 10n, 111: 12n, 140: 12n, 141: 14n, 9000: 14n };
  for (const [sentAtMs, want] of Object.entries(cases))
    t.is(told.knownWhenSent(Number(sentAtMs)), want, sentAtMs);
  told.begin(3n, 200);
  t.is(told.knownWhenSent(150), undefined);
  t.is(told.knownWhenSent(300), 3n);
});

test('it remembers some seconds at least, and not everything', (t) => {
  const told = new ToldVersions();
  told.begin(0n, 0);
  for (let n = 1; n <= 100_000; n += 1) told.note(BigInt(n), n);
  t.is(told.knownWhenSent(100_000 - 2500) !== undefined, true);
  t.is(told.knownWhenSent(90_000), undefined);
});
