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
