// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { processorMs } from '#hack/tools/processor-time';
import type { RequestFacts } from './facts.ts';
import { type Binding, isBeyondPacks, isBeyondPolicy, matches } from './match.ts';
import type { Review } from './review.ts';
import { FACTS, makeReview } from './testing/make.ts';

interface Case {
  readonly binding: Binding;
  readonly review?: Partial<Review>;
  readonly facts?: RequestFacts;
  readonly want: boolean;
}

const rule = (resources: string[], more: { apiGroups?: string[]; operations?: string[] } = {}) => ({
  rules: [{ apiGroups: [''], resources, ...more }],
});
const NAMESPACE: Partial<Review> = {
  kind: { group: '', version: 'v1', kind: 'Namespace' },
  resource: { group: '', version: 'v1', resource: 'namespaces' },
  name: 'kube-acme',
  namespace: 'kube-acme',
  object: { metadata: { name: 'kube-acme', labels: { stage: 'prod' } } },
};
const NODE_CLASS: Partial<Review> = {
  kind: { group: 'node.k8s.io', version: 'v1', kind: 'RuntimeClass' },
  resource: { group: 'node.k8s.io', version: 'v1', resource: 'runtimeclasses' },
  namespace: '',
  object: { metadata: { name: 'gvisor' } },
};
const NO_FACTS: RequestFacts = { tenant: undefined, namespace: undefined };
const STATUS = { subResource: 'status' };

const CASES: Readonly<Record<string, Case>> = {
  'no rules: workloads': { binding: {}, want: true },
  'no rules: not what is none': {
    binding: {},
    review: { resource: { group: '', version: 'v1', resource: 'services' } },
    want: false,
  },
  'no operations: not a deletion': { binding: rule(['pods']), review: { operation: 'DELETE' }, want: false },
  'an operation that is named': {
    binding: rule(['pods'], { operations: ['DELETE'] }),
    review: { operation: 'DELETE' },
    want: true,
  },
  'any operation': {
    binding: rule(['pods'], { operations: ['*'] }),
    review: { operation: 'CONNECT' },
    want: true,
  },
  'another group': { binding: rule(['pods'], { apiGroups: ['apps'] }), want: false },
  'any group': { binding: rule(['pods'], { apiGroups: ['*'] }), want: true },
  'any resource': { binding: rule(['*']), want: true },
  'any resource is not its subresources': { binding: rule(['*']), review: STATUS, want: false },
  'a subresource': { binding: rule(['pods/status']), review: STATUS, want: true },
  'a resource and all below': { binding: rule(['pods/*']), review: STATUS, want: true },
  'a resource and all below, itself': { binding: rule(['pods/*']), want: true },
  'a subresource of any': { binding: rule(['*/status']), review: STATUS, want: true },
  everything: { binding: rule(['*/*']), review: STATUS, want: true },
  'a namespace by label': {
    binding: { namespaceSelector: { matchLabels: { stage: 'dev' } } },
    want: true,
  },
  'a namespace by another label': {
    binding: { namespaceSelector: { matchLabels: { stage: 'prod' } } },
    want: false,
  },
  'an excluded namespace': { binding: { excludedNamespaces: ['acme-dev'] }, want: false },
  'an excluded prefix': { binding: { excludedNamespaces: ['acme-*'] }, want: false },
  'an excluded suffix': { binding: { excludedNamespaces: ['*-dev'] }, want: false },
  'an excluded part': { binding: { excludedNamespaces: ['*e-d*'] }, want: false },
  'a prefix of another': { binding: { excludedNamespaces: ['acm', 'cme-*'] }, want: true },
  'a Namespace goes by its own labels': {
    binding: { ...rule(['namespaces']), namespaceSelector: { matchLabels: { stage: 'prod' } } },
    review: NAMESPACE,
    facts: NO_FACTS,
    want: true,
  },
  'a Namespace is excluded by its own name': {
    binding: { ...rule(['namespaces']), excludedNamespaces: ['kube-*'] },
    review: NAMESPACE,
    want: false,
  },
  'what is in no namespace is not selected by one': {
    binding: {
      rules: [{ apiGroups: ['*'], resources: ['runtimeclasses'] }],
      namespaceSelector: { matchLabels: { stage: 'prod' } },
      excludedNamespaces: ['*'],
    },
    review: NODE_CLASS,
    facts: NO_FACTS,
    want: true,
  },
  'an object by label': { binding: { objectSelector: { matchLabels: { app: 'web' } } }, want: true },
  'an object by another label': { binding: { objectSelector: { matchLabels: { app: 'db' } } }, want: false },
  'an object that loses its label': {
    binding: { objectSelector: { matchLabels: { app: 'db' } } },
    review: { operation: 'UPDATE', oldObject: { metadata: { labels: { app: 'db' } } } },
    want: true,
  },
  'an operator that does not exist selects nothing': {
    binding: { objectSelector: { matchExpressions: [{ key: 'app', operator: 'Like', values: ['web'] }] } },
    want: false,
  },
  'a label that every object seems to have': {
    binding: { objectSelector: { matchExpressions: [{ key: 'constructor', operator: 'Exists' }] } },
    want: false,
  },
  'NotIn holds where there is no such label': {
    binding: { objectSelector: { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['x'] }] } },
    want: true,
  },
  'tenants by name': { binding: { tenants: { names: ['acme'] } }, want: true },
  'tenants by another name': { binding: { tenants: { names: ['acme-dev'] } }, want: false },
  'tenants by plan, or name': { binding: { tenants: { names: ['x'], plans: ['gold'] } }, want: true },
  'tenants by label': {
    binding: { tenants: { selector: { matchLabels: { segment: 'banking' } } } },
    want: true,
  },
  'tenants by a label of the namespace': {
    binding: { tenants: { selector: { matchLabels: { stage: 'dev' } } } },
    want: false,
  },
  'every tenant': { binding: { tenants: {} }, want: true },
  'what is of no tenant': {
    binding: { tenants: {} },
    facts: { tenant: undefined, namespace: { name: 'x', labels: {} } },
    want: false,
  },
};

for (const [name, { binding, review, facts = FACTS, want }] of Object.entries(CASES)) {
  test(`${name}: ${want ? 'asked' : 'not asked'}`, (t) => {
    t.is(matches(binding, makeReview(review), facts), want);
  });
}

function isBeyond(group: string, resource: string, namespace = 'acme-dev'): boolean {
  return isBeyondPolicy(makeReview({ resource: { group, version: 'v1', resource }, namespace }), 'nexusos');
}

test('what the cluster lives by, and the way back from a bad pack, is beyond policy', (t) => {
  t.true(isBeyond('nexusos.dev', 'policypacks'));
  t.true(isBeyond('nexusos.dev', 'policyexemptions'));
  t.true(isBeyond('admissionregistration.k8s.io', 'validatingwebhookconfigurations', ''));
  t.true(isBeyond('coordination.k8s.io', 'leases'));
  t.true(isBeyond('', 'nodes', ''));
  t.true(isBeyond('', 'pods', 'kube-system'));
  t.true(isBeyond('', 'pods', 'nexusos'));
  t.false(isBeyond('', 'pods'));
  t.false(isBeyond('other.dev', 'policypacks'));
});

test('a glob takes time in proportion, whatever it is made of', (t) => {
  const review = makeReview({ namespace: `${'a'.repeat(50_000)}b` });
  const binding = { excludedNamespaces: [`${'*a'.repeat(2000)}*c*`] };
  const tookMs = processorMs(() => t.true(matches(binding, review, FACTS)));
  t.true(tookMs < 1000, `${tookMs} ms`);
});

test('what decides on packs is beyond them, wherever it is: one list for who asks and who is asked', (t) => {
  const ours = [
    'policypacks',
    'policypackrevisions',
    'policyexemptions',
    'policyreplicas',
    'quotaledgers',
    'usagerecords',
  ];
  for (const resource of ours) {
    t.true(isBeyondPacks({ group: 'nexusos.dev', resource }), resource);
    t.false(isBeyondPacks({ group: 'example.com', resource }));
    const review = makeReview({ resource: { group: 'nexusos.dev', version: 'v1alpha1', resource } });
    t.true(isBeyondPolicy(review, 'platform'), resource);
  }
  for (const resource of ['agents', 'runs', 'tenants', 'gpuclasses'])
    t.false(isBeyondPacks({ group: 'nexusos.dev', resource }), resource);
});
