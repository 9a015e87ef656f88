// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { POLICY_PACK, type PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import { TENANT } from '#crds/v1alpha1/tenant';
import type { KubeObject } from '../object.ts';
import { exemptionOf, packState, type Places, tenantFacts, unseenRevision } from './objects.ts';

const PLACES: Places = {
  platformNamespace: 'nexusos-system',
  namespaces: new Map([
    ['acme-dev', { name: 'acme-dev', labels: { 'nexusos.dev/tenant': 'acme' } }],
    ['free', { name: 'free', labels: { tenant: 'acme' } }],
  ]),
};

function pack(namespace: string, status?: PolicyPackStatus): KubeObject {
  const spec = POLICY_PACK.spec.parse({
    version: '1.0.0',
    source: { inline: { modules: { 'a.rego': 'package a' } } },
    rollout: { critical: { matchLabels: { stage: 'prod' } } },
  });
  const metadata = { name: 'rules', namespace, uid: 'u1', annotations: { 'nexusos.dev/contact': '#policy' } };
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata,
    spec,
    ...(status && { status }),
  };
}

test('whose a pack is follows from its namespace', (t) => {
  t.like(packState(pack('nexusos-system'), PLACES), { trust: 'Platform' });
  t.like(packState(pack('acme-dev'), PLACES), { trust: 'Tenant', tenant: 'acme' });
  t.is(packState(pack('free'), PLACES), undefined, 'a label that only looks like it');
  t.is(packState(pack('unknown'), PLACES), undefined);
});

test('how far a rollout is follows from the status', (t) => {
  const stage = { name: 'x', percent: 25, startedAt: '2026-11-20T12:00:00Z', samples: 1 };
  const of = (status: PolicyPackStatus) => packState(pack('nexusos-system', status), PLACES);
  const revisions = { activeRevision: 'rules-1', candidateRevision: 'rules-2', stage };
  t.like(of({ ...revisions, phase: 'Cohort' }), {
    active: 'nexusos-system/rules-1',
    candidate: 'nexusos-system/rules-2',
    rollout: 'Cohort',
    percent: 25,
    critical: { matchLabels: { stage: 'prod' } },
  });
  t.is(of({ ...revisions, phase: 'Shadow' })?.rollout, 'Shadow');
  for (const phase of ['Verified', 'RolledBack', 'Quarantined', 'Active'] as const)
    t.is(of({ ...revisions, phase })?.rollout, 'None', phase);
  t.is(of({ phase: 'Cohort', activeRevision: 'rules-1', stage })?.rollout, 'None');
  t.like(packState(pack('nexusos-system'), PLACES), { rollout: 'None', percent: 0, active: undefined });
});

test('a revision that nobody has seen is bound as its pack is, and not loaded', (t) => {
  t.like(unseenRevision(pack('nexusos-system'), 'rules-9', PLACES), {
    key: 'nexusos-system/rules-9',
    isLoaded: false,
    enforcement: 'Deny',
    contact: '#policy',
    trust: 'Platform',
  });
});

test('of a tenant, policy knows a fixed part', (t) => {
  const spec = TENANT.spec.parse({
    plan: 'gold',
    branding: { supportContact: 'help@acme.example' },
    owners: [{ kind: 'User', name: 'ann', role: 'admin' }],
  });
  const facts = tenantFacts({ apiVersion: 'x', kind: 'Tenant', metadata: { name: 'acme' }, spec });
  t.deepEqual(facts, { name: 'acme', labels: {}, plan: 'gold', tier: 'Soft', contact: 'help@acme.example' });
});

test('who asked for an exemption is who the API server says, whatever the spec says', (t) => {
  const spec = {
    packRef: { namespace: 'nexusos-system', name: 'rules' },
    subjects: { namespaces: ['acme-dev'] },
    expiresAt: '2027-01-01T00:00:00Z',
    ticket: 'T',
    reason: 'r',
    requestedBy: 'somebody else',
    approval: { decision: 'Approved', by: 'bob' },
  };
  const annotations = { 'nexusos.dev/created-by': 'ann' };
  const metadata = {
    name: 'e',
    namespace: 'nexusos-system',
    annotations,
    creationTimestamp: '2026-11-20T12:00:00Z',
  };
  const exemption = exemptionOf({ apiVersion: 'x', kind: 'PolicyExemption', metadata, spec });
  t.like(exemption, { requestedBy: 'ann', requestedAt: '2026-11-20T12:00:00Z', approval: { by: 'bob' } });
  t.is(
    exemptionOf({ apiVersion: 'x', kind: 'PolicyExemption', metadata: { name: 'e' }, spec }).requestedBy,
    undefined,
  );
});
