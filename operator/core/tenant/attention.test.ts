// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../object.ts';
import { attentionCondition } from './attention.ts';
import { tenantEgress } from './network.ts';
import { makeObserved, makeTenant, PLATFORM, type SpecInput } from './testing/objects.ts';
import type { TenantObserved } from './tenant.ts';

const OWNERS: SpecInput = { owners: [{ kind: 'User', name: 'ann', role: 'admin' }] };
const NOBODY = { missing: [], silent: [], unanswered: [] };

function attention(spec: SpecInput, seen: Partial<Omit<TenantObserved, 'namespaces'>> = {}) {
  const tenant = makeTenant(spec);
  const egress = tenantEgress(tenant, { configured: PLATFORM.reservedRanges, cluster: [] });
  const observed = makeObserved({ ...seen, foreignPolicies: seen.foreignPolicies ?? [] });
  return attentionCondition({ tenant, observed, egress, namespaces: ['acme-dev', 'acme-prod'] });
}

const SAID: Readonly<
  Record<
    string,
    {
      readonly spec: SpecInput;
      readonly seen?: Partial<Omit<TenantObserved, 'namespaces'>>;
      readonly reason: string;
      readonly says: RegExp;
    }
  >
> = {
  'a tenant without owners': {
    spec: {},
    reason: 'NoOwners',
    says: /^spec\.owners is empty: nobody but administrators of the cluster can use the tenant$/,
  },
  'a peer that does not exist': {
    spec: OWNERS,
    seen: { oneSidedPeers: { ...NOBODY, missing: ['ghost'] } },
    reason: 'PeerOneSided',
    says: /names ghost: there is no such tenant/,
  },
  'a peer that does not name the tenant': {
    spec: { ...OWNERS, branding: { supportContact: 'ops@example.com' } },
    seen: { oneSidedPeers: { ...NOBODY, silent: ['left', 'right'] } },
    reason: 'PeerOneSided',
    says: /spec\.network\.peers names left, right, whose own spec\.network\.peers lacks acme; ask ops@example\.com/,
  },
  'a peer that the tenant does not name': {
    spec: OWNERS,
    seen: { oneSidedPeers: { ...NOBODY, unanswered: ['left'] } },
    reason: 'PeerOneSided',
    says: /left would talk with this tenant, whose spec\.network\.peers lacks that name; add it/,
  },
};

for (const [title, { spec, seen, reason, says }] of Object.entries(SAID)) {
  test(`${title} is told`, (t) => {
    const condition = attention(spec, seen);
    t.like(condition, { type: 'NeedsAttention', status: 'True', reason });
    t.regex(condition?.message ?? '', says);
  });
}

function usage(name: string, used: string) {
  return { name, used, reserved: '0', limit: '10' };
}

test('a budget that is nearly used is told by its name, and one of a minute is not', (t) => {
  const tenant = makeTenant(OWNERS);
  const egress = tenantEgress(tenant, { configured: PLATFORM.reservedRanges, cluster: [] });
  const input = { tenant, observed: makeObserved({ foreignPolicies: [] }), egress, namespaces: [] };
  const near = [usage('runUnits/hour', '8'), usage('tokens/day', '7'), usage('cost/minute', '10')];
  const told = attentionCondition({ ...input, budgets: near });
  t.like(told, { type: 'NeedsAttention', status: 'True', reason: 'BudgetNearlyUsed' });
  t.regex(told?.message ?? '', /four fifths or more .*: runUnits\/hour$/);
  t.is(attentionCondition({ ...input, budgets: near.slice(1) }), undefined);
});

test('a tenant in which all is well needs no attention', (t) => t.is(attention(OWNERS), undefined));

const OUTSIDE = { ipBlock: { cidr: '203.0.113.0/25' } };
const HTTPS = [{ protocol: 'TCP', port: 443 }];
const TENANT = 'nexusos.dev/tenant';

/** What a policy opens, and what of it is too much. */
const POLICIES: Readonly<Record<string, { readonly spec: object; readonly excess?: RegExp }>> = {
  'its own namespaces': { spec: { ingress: [{ from: [{ podSelector: {} }] }], egress: [] } },
  'a mutual peer': {
    spec: { egress: [{ to: [{ namespaceSelector: { matchLabels: { [TENANT]: 'friend' } } }] }] },
  },
  'a former peer': {
    spec: { egress: [{ to: [{ namespaceSelector: { matchLabels: { [TENANT]: 'stranger' } } }] }] },
    excess: /namespaces of others \(to: .*stranger/,
  },
  'a namespace of its own': {
    spec: {
      ingress: [
        { from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'acme-dev' } } }] },
      ],
    },
  },
  'all namespaces': {
    spec: { ingress: [{ from: [{ namespaceSelector: {} }] }] },
    excess: /namespaces of others/,
  },
  'a range and port within the egress': { spec: { egress: [{ to: [OUTSIDE], ports: HTTPS }] } },
  'all ports of it': { spec: { egress: [{ to: [OUTSIDE] }] }, excess: /to 203\.0\.113\.0\/25/ },
  'another port of it': {
    spec: { egress: [{ to: [OUTSIDE], ports: [{ protocol: 'TCP', port: 22 }] }] },
    excess: /to 203\.0\.113\.0\/25/,
  },
  'a former range': {
    spec: { egress: [{ to: [{ ipBlock: { cidr: '198.51.100.0/24' } }], ports: HTTPS }] },
    excess: /to 198\.51\.100\.0\/24/,
  },
  'a range around reserved addresses': {
    spec: { egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }] }] },
    excess: /to 0\.0\.0\.0\/0/,
  },
  'sources outside, without load balancers': {
    spec: { ingress: [{ from: [OUTSIDE] }] },
    excess: /from 203\.0\.113\.0\/25/,
  },
  everything: { spec: { egress: [{}] }, excess: /egress to everything/ },
  everybody: { spec: { ingress: [{ ports: HTTPS }] }, excess: /ingress from everywhere/ },
};

for (const [title, { spec, excess }] of Object.entries(POLICIES)) {
  test(`a policy of the tenant that opens ${title}: ${excess === undefined ? 'nothing to tell' : 'told'}`, (t) => {
    const network = { egress: [{ cidr: '203.0.113.0/24', ports: [{ port: 443 }] }] };
    const metadata = { namespace: 'acme-dev', name: 'old' };
    const policy: KubeObject = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec };
    const seen = { foreignPolicies: [policy], mutualPeers: ['friend'] };
    const condition = attention({ ...OWNERS, network }, seen);
    t.is(condition?.reason, excess === undefined ? undefined : 'PolicyBeyondBorder');
    if (excess !== undefined)
      t.regex(condition?.message ?? '', new RegExp(`acme-dev/old \\(${excess.source}`));
  });
}

test('of many offenders some are named, and the others counted', (t) => {
  const foreignPolicies = Array.from({ length: 13 }, (_, i) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'acme-dev', name: `p${i}` },
    spec: { egress: [{}] },
  }));
  t.regex(attention(OWNERS, { foreignPolicies })?.message ?? '', / and 3 more$/);
});
