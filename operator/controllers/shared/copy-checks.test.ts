// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { CopyChecks } from './copy-checks.ts';

test('copies are due once in each interval, more or less, and the first time within one', (t) => {
  const checks = new CopyChecks(1000);
  const first = checks.take('a', 0);
  t.false(first.areCopiesDue);
  t.true(first.copiesDueMs <= 1000);
  t.false(checks.take('a', first.copiesDueMs - 1).areCopiesDue);
  const second = checks.take('a', first.copiesDueMs);
  t.true(second.areCopiesDue);
  t.true(second.copiesDueMs >= 800 && second.copiesDueMs <= 1200, String(second.copiesDueMs));
  t.false(checks.take('a', first.copiesDueMs + 1).areCopiesDue, 'told once');
});

test('tenants do not keep step, and who is forgotten begins anew', (t) => {
  const checks = new CopyChecks(1_000_000);
  const names = Array.from({ length: 20 }, (_, i) => String(i));
  const dues = names.map((name) => checks.take(name, 0).copiesDueMs);
  t.true(new Set(dues).size > 10);
  t.deepEqual(checks.forget('0'), { areCopiesDue: false, copiesDueMs: Infinity });
  t.false(checks.take('0', 10_000_000).areCopiesDue);
});
