// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import {
  annotateLease,
  claimOf,
  claimText,
  nearness,
  shardCountOf,
  shardLeaseName,
  shardOf,
  shardOfLease,
} from './shard-lease.ts';

const lease = (annotations: Record<string, string>) => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'l', annotations },
});

const NAMES: Record<string, number | undefined> = {
  'op-shard-0': 0,
  'op-shard-31': 31,
  op: undefined,
  'op-shard-': undefined,
  'op-shard-01': undefined,
  'op-shard-1-x': undefined,
  'op-shard--1': undefined,
  'op-shard-99999': undefined,
  'other-shard-1': undefined,
};

for (const [name, want] of Object.entries(NAMES)) {
  test(`the shard of a Lease ${name} is ${want}`, (t) => t.is(shardOfLease('op', name), want));
}

test('each shard has a Lease of its own name', (t) => {
  for (const index of [0, 7, 31]) t.is(shardOfLease('op', shardLeaseName('op', index)), index);
});

test('a Lease that names no number of shards, or nonsense, is of who deals out none', (t) => {
  t.is(shardCountOf(lease({})), 0);
  t.is(shardCountOf(lease({ 'nexusos.dev/shards': '-3' })), 0);
  t.is(shardCountOf(lease({ 'nexusos.dev/shards': '12' })), 12);
});

test('a claim says who and when, whatever is in the name', (t) => {
  const claim = { by: 'pod a_b', at: '2026-01-01T00:00:00.000000Z' };
  t.deepEqual(claimOf(lease({ 'nexusos.dev/claimed-by': claimText(claim) })), claim);
  t.is(claimOf(lease({})), undefined);
  t.is(claimOf(lease({ 'nexusos.dev/claimed-by': 'nobody' })), undefined);
});

test('a renewal keeps what others asked for, and who takes has what it asked for', (t) => {
  const before = { other: 'stays', 'nexusos.dev/claimed-by': 'b t', 'nexusos.dev/shards': '3' };
  const annotate = annotateLease(12);
  t.deepEqual(annotate(before, true), { ...before, 'nexusos.dev/shards': '12' });
  t.deepEqual(annotate(before, false), { other: 'stays', 'nexusos.dev/shards': '12' });
});

test('the shard of a name is the same for ever: another one would be two operators for a tenant', (t) => {
  const of = ['acme', 'globex', 'initech', 'umbrella'].map((name) => shardOf(name, 12));
  t.deepEqual(of, SHARDS_OF);
  t.deepEqual(
    of,
    ['acme', 'globex', 'initech', 'umbrella'].map((name) => shardOf(name, 12)),
  );
});

test('names are spread over shards, and shards over members', (t) => {
  const counts = Array.from({ length: 12 }, () => 0);
  for (let i = 0; i < 12_000; i += 1) counts[shardOf(`tenant-${i}`, 12)]! += 1;
  t.true(Math.min(...counts) > 850 && Math.max(...counts) < 1150, counts.join(' '));
  const nearest = new Set(
    Array.from({ length: 32 }, (_, index) =>
      ['a', 'b', 'c'].reduce((a, b) => (nearness(b, index) > nearness(a, index) ? b : a)),
    ),
  );
  t.is(nearest.size, 3);
});

const SHARDS_OF = [1, 9, 10, 1];
