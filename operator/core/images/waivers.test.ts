// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { waiversFor } from './waivers.ts';

const USE = {
  reference: { registry: 'registry.example', repository: 'team/app' },
  namespace: 'acme-main',
  tenant: 'acme',
} as const;
const POLICY = { kind: 'ClusterImagePolicy', name: 'clean' } as const;

function waiver(spec: object = {}, by = 'ann'): KubeObject {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ImageWaiver',
    metadata: { name: 'w', annotations: by === '' ? {} : { [ANNOTATIONS.createdBy]: by } },
    spec: {
      policies: ['clean'],
      vulnerability: 'CVE-2026-1',
      subjects: { images: ['registry.example/team/*'] },
      reason: 'not reachable',
      ticket: 'T-1',
      expiresAt: '2026-12-01T00:00:00Z',
      approval: { decision: 'Approved', by: 'bob' },
      ...spec,
    },
  };
}

test('a waiver is told to verification with all that bounds it', (t) => {
  const bounds = { purl: 'pkg:npm/x@1', maxScore: '7.5', notBefore: '2026-11-01T00:00:00Z' };
  t.deepEqual(waiversFor([waiver(bounds)], POLICY, USE), [
    {
      name: 'w',
      vulnerability: 'CVE-2026-1',
      purl: 'pkg:npm/x@1',
      maxScoreTenths: 75,
      notBefore: '2026-11-01T00:00:00Z',
      expires: '2026-12-01T00:00:00Z',
    },
  ]);
});

for (const { name, given, counts } of [
  { name: 'approved by another', given: waiver(), counts: true },
  { name: 'not decided on', given: waiver({ approval: undefined }), counts: false },
  { name: 'rejected', given: waiver({ approval: { decision: 'Rejected', by: 'bob' } }), counts: false },
  { name: 'approved by who asked', given: waiver({}, 'bob'), counts: false },
  { name: 'asked for by nobody knows whom', given: waiver({}, ''), counts: false },
  { name: 'approved by nobody', given: waiver({ approval: { decision: 'Approved' } }), counts: false },
  { name: 'of another policy', given: waiver({ policies: ['other'] }), counts: false },
  {
    name: 'for another image',
    given: waiver({ subjects: { images: ['registry.example/team'] } }),
    counts: false,
  },
  { name: 'for this namespace', given: waiver({ subjects: { namespaces: ['acme-main'] } }), counts: true },
  {
    name: 'for this image elsewhere',
    given: waiver({ subjects: { images: ['*'], namespaces: ['other-main'] } }),
    counts: false,
  },
  { name: 'for another tenant', given: waiver({ subjects: { tenants: ['other'] } }), counts: false },
  { name: 'for nothing', given: waiver({ subjects: {} }), counts: false },
]) {
  test(`a waiver ${name} ${counts ? 'counts' : 'does not count'}`, (t) => {
    t.is(waiversFor([given], POLICY, USE).length, counts ? 1 : 0);
  });
}

test('nobody waives what a tenant asks of itself', (t) => {
  t.deepEqual(waiversFor([waiver()], { kind: 'ImagePolicy', name: 'clean' }, USE), []);
});

function named(name: string, expiresAt: string, metadata: object = {}): KubeObject {
  const one = waiver({ expiresAt });
  return { ...one, metadata: { ...one.metadata, name, ...metadata } };
}

test('a waiver that has run out is told as well: that it is over is the reason', (t) => {
  const over = named('over', '2020-01-01T00:00:00Z');
  t.like(waiversFor([over], POLICY, USE), [{ name: 'over', expires: '2020-01-01T00:00:00Z' }]);
});

test('a waiver that is being deleted counts no more', (t) => {
  const gone = named('gone', '2026-12-01T00:00:00Z', { deletionTimestamp: '2026-11-01T00:00:00Z' });
  t.deepEqual(waiversFor([gone], POLICY, USE), []);
});

test('of more waivers than are looked at, those that run out first are left out, in whatever order they are', (t) => {
  const over = Array.from({ length: 256 }, (_, index) => named(`over-${index}`, '2020-01-01T00:00:00Z'));
  const live = [named('b', '2026-12-01T00:00:00Z'), named('a', '2026-12-01T00:00:00Z')];
  const told = waiversFor([...over, ...live], POLICY, USE);
  t.is(told.length, 256);
  t.deepEqual(
    told.slice(0, 2).map(({ name }) => name),
    ['a', 'b'],
  );
  t.deepEqual(waiversFor([...live, ...over].toReversed(), POLICY, USE), told);
});

test('instants are compared, not how they are written', (t) => {
  // The first of the two is the later one, an hour before midnight in a zone that is behind.
  const late = named('late', '2026-12-01T23:00:00-05:00');
  const early = named('early', '2026-12-02T01:00:00Z');
  const others = Array.from({ length: 255 }, (_, index) => named(`z-${index}`, '2026-12-31T00:00:00Z'));
  const names = waiversFor([early, late, ...others], POLICY, USE).map(({ name }) => name);
  t.true(names.includes('late'));
  t.false(names.includes('early'));
});
