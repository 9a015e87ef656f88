// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../object.ts';
import { formatCidr, parseCidr } from './cidr.ts';
import { addressesOf, clusterRanges, onlyAddresses, rangesWithin } from './cluster-ranges.ts';
import { tenantEgress } from './network.ts';
import { makeTenant } from './testing/objects.ts';

function node(name: string, addresses: readonly string[], podCIDRs: readonly string[] = []): KubeObject {
  const hostname = { type: 'Hostname', address: name };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { zone: 'a' } },
    spec: { podCIDRs, taints: [] },
    status: {
      addresses: [hostname, ...addresses.map((address) => ({ type: 'InternalIP', address }))],
      images: [{}],
    },
  };
}

const SERVICES: KubeObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  metadata: { name: 'kubernetes' },
  spec: { cidrs: ['10.96.0.0/16', 'fd00:96::/112'] },
};
const API_SERVERS: KubeObject = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'kubernetes', namespace: 'default' },
  endpoints: [{ addresses: ['172.18.0.2'] }, { addresses: ['34.1.2.3'] }],
};
const CLUSTER = clusterRanges([
  node('a', ['10.0.5.7', 'fd00:5::7'], ['10.244.3.0/24']),
  node('b', ['10.0.5.8'], ['10.244.4.0/24']),
  node('c', ['203.0.113.9', 'not an address']),
  SERVICES,
  API_SERVERS,
]);

const CASES: Readonly<
  Record<string, { readonly asked: readonly string[]; readonly want: readonly string[] }>
> = {
  'who asks for everything is kept from whole neighbourhoods, and of public addresses from just these': {
    asked: ['0.0.0.0/0'],
    want: ['10.0.5.0/24', '10.244.0.0/16', '10.96.0.0/16', '172.18.0.0/24', '203.0.113.9/32', '34.1.2.3/32'],
  },
  'so it is in the other family': { asked: ['::/0'], want: ['fd00:5::/64', 'fd00:96::/112'] },
  'who asks for addresses elsewhere has nothing to rewrite': { asked: ['198.51.100.0/24'], want: [] },
  'who asks for nothing neither': { asked: [], want: [] },
  'who asks for a neighbourhood is kept from the nodes in it': {
    asked: ['10.0.5.0/24'],
    want: ['10.0.5.7/32', '10.0.5.8/32'],
  },
  'a neighbour of a node can be asked for by name': { asked: ['10.0.5.9/32'], want: [] },
  'a node cannot': { asked: ['10.0.5.7/32'], want: ['10.0.5.7/32'] },
  'nor can a part of the Services': { asked: ['10.96.0.1/32'], want: ['10.96.0.0/16'] },
  'nor can some pods': { asked: ['10.244.3.128/25'], want: ['10.244.3.0/24'] },
};

for (const [title, { asked, want }] of Object.entries(CASES)) {
  test(title, (t) => {
    const found = rangesWithin(
      asked.map((one) => parseCidr(one)!),
      CLUSTER,
    );
    t.deepEqual(found.map(formatCidr).toSorted(), want);
  });
}

test('another node in a known neighbourhood changes nothing for who asked for more', (t) => {
  const more = clusterRanges([node('a', ['10.0.5.7']), node('z', ['10.0.5.200'])]);
  const all = [parseCidr('0.0.0.0/0')!];
  t.deepEqual(rangesWithin(all, more), rangesWithin(all, clusterRanges([node('a', ['10.0.5.7'])])));
});

test('without a range in the settings, egress to everything leaves out the cluster, and to a node is refused', (t) => {
  const egress = [{ cidr: '0.0.0.0/0' }, { cidr: '10.0.5.7/32' }];
  const { rules, refusals } = tenantEgress(makeTenant({ network: { egress } }), {
    configured: [],
    cluster: CLUSTER,
  });
  t.deepEqual(
    rules.map(({ cidr }) => cidr),
    ['0.0.0.0/0'],
  );
  for (const range of ['10.0.5.0/24', '10.96.0.0/16', '172.18.0.0/24'])
    t.true(rules[0]?.except.includes(range));
  t.regex(refusals[0] ?? '', /egress\[1\]\.cidr is 10\.0\.5\.7\/32; it must lie outside 10\.0\.5\.0\/24/);
});

test('what is kept of a node says the same as all of it, and nothing else counts as a change', (t) => {
  const whole = node('a', ['10.0.5.7'], ['10.244.3.0/24']);
  const light = onlyAddresses(whole);
  t.deepEqual(clusterRanges([light]), clusterRanges([whole]));
  t.is(addressesOf(light), addressesOf(whole));
  t.is(JSON.stringify(light).includes('images'), false);
  t.is(addressesOf({ ...whole, metadata: { name: 'a', resourceVersion: '9' } }), addressesOf(whole));
  t.not(addressesOf(node('a', ['10.0.5.9'], ['10.244.3.0/24'])), addressesOf(whole));
});
