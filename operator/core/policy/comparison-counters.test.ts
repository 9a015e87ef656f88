// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import {
  countPair,
  emptyCounters,
  type PairedVerdict,
  quantileMicros,
  toComparison,
} from './comparison-counters.ts';

const EMPTY = emptyCounters({ pack: 'nexusos/baseline', revision: 'b-2', against: 'b-1' });
const verdict = (parts: Partial<PairedVerdict> = {}): PairedVerdict => ({
  active: 'Allowed',
  candidate: 'Allowed',
  micros: 100,
  budgetMicros: 25_000,
  object: { kind: 'Pod', namespace: 'acme-dev', name: 'web' },
  isProtected: false,
  ...parts,
});
const counted = (...verdicts: readonly Partial<PairedVerdict>[]) =>
  toComparison(verdicts.map(verdict).reduce(countPair, EMPTY));

test('each request is in one cell', (t) => {
  t.like(
    counted(
      {},
      { candidate: 'Denied' },
      { active: 'Denied' },
      { active: 'Denied', candidate: 'Denied' },
      { candidate: 'Failed' },
      { candidate: 'TimedOut', micros: 50_000 },
    ),
    { bothAllowed: 1, newlyDenied: 1, newlyAllowed: 1, bothDenied: 1, errors: 1, timeouts: 1, slow: 1 },
  );
});

test('a failure is no opinion, but a lock-out', (t) => {
  const failed = counted(
    { candidate: 'Failed', isProtected: true },
    { candidate: 'Denied', isProtected: true },
  );
  t.is(failed.protectedDenied, 2);
  t.is(failed.newlyDenied, 1);
});

test('five examples show five things', (t) => {
  const many = Array.from({ length: 100 }, (_, index) => ({
    candidate: 'Denied' as const,
    message: 'x'.repeat(2000),
    object: { kind: 'Pod', namespace: `n-${index % 7}`, name: `p-${index}` },
  }));
  const { examples } = counted(...many);
  t.deepEqual(
    examples.map(({ namespace }) => namespace),
    ['n-0', 'n-1', 'n-2', 'n-3', 'n-4'],
  );
  t.true(examples.every(({ message, newly }) => message?.length === 512 && newly === 'Denied'));
});

test('a quantile is right to a fifth', (t) => {
  const times = Array.from({ length: 1000 }, (_, index) => ({ micros: index + 1 }));
  const { p95Micros } = counted(...times);
  t.true(p95Micros >= 950 && p95Micros <= 950 * 1.2, `${p95Micros}`);
  t.is(quantileMicros(EMPTY, 0.95), 0);
  t.true(counted({ micros: 10_000_000 }).p95Micros >= 100_000);
});

test('counters are values', (t) => {
  countPair(EMPTY, verdict());
  t.is(EMPTY.bothAllowed, 0);
  t.true(EMPTY.micros.every((count) => count === 0));
});
