// SPDX-License-Identifier: Apache-2.0
import {
  configMap,
  egressTo,
  ingressFrom,
  networkPolicy,
  roleBinding,
  service,
  volumeClaim,
} from './guardrail-objects.ts';
import type { Pair } from './guardrail-pair.ts';

const TENANT_LABEL = 'nexusos.dev/tenant';
const HTTPS = [{ protocol: 'TCP', port: 443 }];

/** Services and NetworkPolicies. */
export const NETWORK_PAIRS: Readonly<Record<string, Pair>> = {
  'a Service on a port of every node': {
    bad: service({ type: 'NodePort' }),
    good: service({ type: 'ClusterIP' }),
    field: 'spec.type',
  },
  'a load balancer that the quotas do not name': {
    bad: service({ type: 'LoadBalancer' }),
    good: service(),
    field: 'spec.type',
  },
  'an address of somebody else': {
    bad: service({ externalIPs: ['192.0.2.1'] }),
    good: service({ externalIPs: [] }),
    field: 'externalIPs',
  },
  'a name inside the cluster': {
    bad: service({ type: 'ExternalName', externalName: 'kubernetes.default.svc.cluster.local' }),
    good: service({ type: 'ExternalName', externalName: 'api.example.com' }),
    field: 'externalName',
  },
  'a name inside the cluster, with a dot at its end': {
    bad: service({ type: 'ExternalName', externalName: 'db.stranger-main.svc.' }),
    good: service({ type: 'ExternalName', externalName: 'db.example.com.' }),
    field: 'externalName',
  },
  'the metadata service by address': {
    bad: service({ type: 'ExternalName', externalName: '169.254.169.254' }),
    good: service({ type: 'ExternalName', externalName: 'a.169.254.example.com' }),
    field: 'externalName',
  },
  'the metadata service by name': {
    bad: service({ type: 'ExternalName', externalName: 'metadata.google.internal' }),
    good: service({ type: 'ExternalName', externalName: 'metadata.example.com' }),
    field: 'externalName',
  },
  'a door for every namespace': {
    bad: ingressFrom({ namespaceSelector: {} }),
    good: ingressFrom({ namespaceSelector: { matchLabels: { [TENANT_LABEL]: 'guard' } } }),
    field: 'namespaceSelector',
    found: 'a namespaceSelector without matchLabels',
  },
  'a door for another tenant': {
    bad: ingressFrom({ namespaceSelector: { matchLabels: { [TENANT_LABEL]: 'stranger' } } }),
    good: ingressFrom({
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'guard-main' } },
    }),
    field: 'namespaceSelector',
    found: 'namespaces with nexusos.dev/tenant=stranger',
  },
  'a door by a label that others can set': {
    bad: ingressFrom({ namespaceSelector: { matchLabels: { team: 'guard' } } }),
    good: ingressFrom({ namespaceSelector: { matchLabels: { team: 'guard', [TENANT_LABEL]: 'guard' } } }),
    field: 'namespaceSelector',
  },
  'a path to another tenant': {
    bad: networkPolicy({
      policyTypes: ['Egress'],
      egress: [
        { to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'stranger-main' } } }] },
      ],
    }),
    good: networkPolicy({ policyTypes: ['Egress'], egress: [{ to: [{ podSelector: {} }] }] }),
    field: 'namespaceSelector',
    found: 'namespaces with kubernetes.io/metadata.name=stranger-main',
  },
  'a door for everybody': {
    bad: networkPolicy({ ingress: [{}] }),
    good: ingressFrom({ podSelector: {} }),
    field: 'from',
  },
  'a path to everywhere': {
    bad: networkPolicy({ policyTypes: ['Egress'], egress: [{ ports: HTTPS }] }),
    good: networkPolicy({ policyTypes: ['Egress'], egress: [{ to: [{ podSelector: {} }], ports: HTTPS }] }),
    field: 'spec.egress[*].to',
  },
  'a path outside the allow-list': {
    bad: egressTo('192.0.2.0/24'),
    good: egressTo('203.0.113.0/25'),
    field: 'ipBlock',
    found: '192.0.2.0/24',
  },
  'a path wider than the allow-list': {
    bad: egressTo('203.0.112.0/23'),
    good: egressTo('203.0.113.0/24'),
    field: 'ipBlock',
  },
  'a path to the metadata service': {
    bad: egressTo('169.254.169.254/32'),
    good: egressTo('203.0.113.254/32'),
    field: 'ipBlock',
  },
  'a path around reserved addresses': {
    bad: egressTo('100.0.0.0/8'),
    good: egressTo('100.0.0.0/8', { except: ['100.64.0.0/10'] }),
    field: 'ipBlock',
    found: '100.0.0.0/8',
  },
  'reserved addresses cut out in part only': {
    bad: egressTo('100.0.0.0/8', { except: ['100.64.0.0/11'] }),
    good: egressTo('100.0.0.0/9', { except: ['100.64.0.0/10'] }),
    field: 'ipBlock',
  },
  'all ports where one is allowed': {
    bad: egressTo('198.51.100.0/24'),
    good: egressTo('198.51.100.0/24', { ports: HTTPS }),
    field: 'ipBlock',
  },
  'more ports than allowed': {
    bad: egressTo('198.51.100.0/24', { ports: [{ protocol: 'TCP', port: 443, endPort: 444 }] }),
    good: egressTo('198.51.100.7/32', { ports: [{ protocol: 'TCP', port: 443, endPort: 443 }] }),
    field: 'ipBlock',
  },
  'a door for addresses outside': {
    bad: ingressFrom({ ipBlock: { cidr: '203.0.113.0/24' } }),
    good: ingressFrom({ podSelector: { matchLabels: { app: 'a' } } }),
    field: 'ipBlock',
    found: '203.0.113.0/24',
  },
};

const EVERYBODY = { kind: 'Group', name: 'system:authenticated' };
const BOB = { kind: 'User', name: 'bob' };

/** Access, storage, and what NexusOS makes. */
export const ACCESS_PAIRS: Readonly<Record<string, Pair>> = {
  'access for everybody': {
    bad: roleBinding(EVERYBODY),
    good: roleBinding({ kind: 'Group', name: 'guard-team' }),
    field: 'subjects',
  },
  'access for nobody in particular': {
    bad: roleBinding({ kind: 'User', name: 'system:anonymous' }),
    good: roleBinding(BOB),
    field: 'subjects',
  },
  'access for every service account': {
    bad: roleBinding({ kind: 'Group', name: 'system:serviceaccounts' }),
    good: roleBinding({ kind: 'Group', name: 'system:serviceaccounts:guard-main' }),
    field: 'subjects',
  },
  'access for a service account of another tenant': {
    bad: roleBinding({ kind: 'ServiceAccount', name: 'default', namespace: 'stranger-main' }),
    good: roleBinding({ kind: 'ServiceAccount', name: 'default', namespace: 'guard-main' }),
    field: 'subjects',
  },
  'access for a foreign service account under its user name': {
    bad: roleBinding({ kind: 'User', name: 'system:serviceaccount:stranger-main:default' }),
    good: roleBinding({ kind: 'ServiceAccount', name: 'ci', namespace: 'guard-main' }),
    field: 'subjects',
  },
  'a role of the cluster': {
    bad: roleBinding(BOB, { kind: 'ClusterRole', name: 'nexusos:tenant:guard' }),
    good: roleBinding(BOB, { kind: 'ClusterRole', name: 'nexusos:tenant-viewer' }),
    field: 'roleRef',
  },
  'a volume that somebody released': {
    bad: volumeClaim({ volumeName: 'pv-1' }),
    good: volumeClaim(),
    field: 'volumeName',
  },
  'a source of data in another namespace': {
    bad: volumeClaim({
      dataSourceRef: { apiGroup: 'x.example', kind: 'Snapshot', name: 's', namespace: 'stranger-main' },
    }),
    good: volumeClaim({ dataSourceRef: { apiGroup: 'x.example', kind: 'Snapshot', name: 's' } }),
    field: '',
  },
  'an object that claims to be managed by NexusOS': {
    bad: configMap({ labels: { 'app.kubernetes.io/managed-by': 'nexusos' } }),
    good: configMap({ labels: { 'app.kubernetes.io/managed-by': 'helm' } }),
    field: 'managed-by',
  },
  'a label of NexusOS': {
    bad: configMap({ labels: { [TENANT_LABEL]: 'stranger' } }),
    good: configMap({ labels: { 'example.com/tenant': 'stranger' } }),
    field: 'metadata.labels',
    found: 'nexusos.dev/tenant=stranger',
  },
  'a name of NexusOS': {
    bad: configMap({ name: 'nexusos-pull-hub' }),
    good: configMap({ name: 'my-nexusos' }),
    field: 'metadata.name',
  },
  'a token that never ends': {
    bad: {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/service-account-token',
      metadata: { name: 'k', annotations: { 'kubernetes.io/service-account.name': 'default' } },
    },
    good: { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { name: 'k' } },
    field: 'type',
  },
};
