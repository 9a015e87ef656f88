// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { guardrailParameters, PARAMETERS } from './guardrail-parameters.ts';
import { judgeEgress, reservedCidrs } from './network.ts';
import { makeTenant, type SpecInput } from './testing/objects.ts';

function parameters(spec: SpecInput): Record<string, string> {
  const tenant = makeTenant(spec);
  const reserved = reservedCidrs([]);
  const egress = judgeEgress(tenant.spec.network?.egress, reserved).rules;
  return guardrailParameters(tenant, { namespaces: ['acme-b', 'acme-a'], mutualPeers: [], egress, reserved });
}

test('every key that the policies read is there, whatever the Tenant says', (t) => {
  t.deepEqual(Object.keys(parameters({})).toSorted(), Object.values(PARAMETERS).toSorted());
});

const CASES: Readonly<Record<string, { readonly spec: SpecInput; readonly want: Record<string, string> }>> = {
  'a Tenant that says nothing': {
    spec: {},
    want: {
      tenant: 'acme',
      namespaces: 'acme-a,acme-b',
      registries: '',
      egress: '',
      isolation: 'Soft',
      runtimeClass: '',
      loadBalancers: 'false',
      contact: 'your platform team',
    },
  },
  'tier Hard': {
    spec: { isolation: { tier: 'Hard', runtimeClassName: 'gvisor' } },
    want: { isolation: 'Hard', runtimeClass: 'gvisor' },
  },
  'destinations with and without ports': {
    spec: {
      network: {
        egress: [
          { cidr: '192.0.2.0/24' },
          {
            cidr: '2001:db8::/32',
            ports: [
              { protocol: 'TCP', port: 443 },
              { protocol: 'UDP', port: 1, endPort: 9 },
            ],
          },
        ],
      },
    },
    want: { egress: '192.0.2.0/24|,2001:db8::/32|TCP/443-443;UDP/1-9' },
  },
  'a destination in a reserved range is not handed on': {
    spec: { network: { egress: [{ cidr: '127.0.0.1/32' }] } },
    want: { egress: '' },
  },
  'load balancers within the quotas': {
    spec: { quotas: { objects: { 'services.loadbalancers': 1 } } },
    want: { loadBalancers: 'true' },
  },
  'no load balancers within the quotas': {
    spec: { quotas: { objects: { 'services.loadbalancers': '0' } } },
    want: { loadBalancers: 'false' },
  },
};

for (const [title, { spec, want }] of Object.entries(CASES)) {
  test(title, (t) => t.like(parameters(spec), want));
}
