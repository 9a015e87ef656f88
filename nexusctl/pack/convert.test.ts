// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { bindingRules } from './convert.ts';
import { pluralOf } from './plural.ts';

const constraint = (...kinds: readonly unknown[]) => ({
  file: 'c.yaml',
  value: { spec: { match: { kinds } } },
});
const ALL = [{ apiGroups: ['*'], resources: ['*'] }];

const BINDINGS: Readonly<
  Record<string, readonly [readonly ReturnType<typeof constraint>[], readonly unknown[]]>
> = {
  'kinds become resources, by their group': [
    [
      constraint({ apiGroups: [''], kinds: ['Pod', 'Service'] }),
      constraint({ apiGroups: ['networking.k8s.io'], kinds: ['NetworkPolicy', 'Ingress'] }),
    ],
    [
      { apiGroups: [''], resources: ['pods', 'services'] },
      { apiGroups: ['networking.k8s.io'], resources: ['ingresses', 'networkpolicies'] },
    ],
  ],
  'of all kinds of a group, all': [
    [constraint({ apiGroups: ['apps'], kinds: ['*', 'Deployment'] })],
    [{ apiGroups: ['apps'], resources: ['*'] }],
  ],
  'of no group, all groups': [[constraint({ kinds: ['Pod'] })], [{ apiGroups: ['*'], resources: ['pods'] }]],
  'one constraint without kinds is about everything': [
    [constraint({ apiGroups: [''], kinds: ['Pod'] }), constraint()],
    ALL,
  ],
  'and so is one with all of them': [
    [constraint({ apiGroups: ['*'], kinds: ['*'] }), constraint({ apiGroups: [''], kinds: ['Pod'] })],
    ALL,
  ],
};

for (const [name, [constraints, want]] of Object.entries(BINDINGS)) {
  test(name, (t) => t.deepEqual(bindingRules(constraints), want as ReturnType<typeof bindingRules>));
}

test('plurals, as Kubernetes has them', (t) => {
  const kinds = [
    'Pod',
    'Ingress',
    'NetworkPolicy',
    'Endpoints',
    'EndpointSlice',
    'StorageClass',
    'Gateway',
    'Agent',
    'Prefix',
  ];
  const plurals = [
    'pods',
    'ingresses',
    'networkpolicies',
    'endpoints',
    'endpointslices',
    'storageclasses',
    'gateways',
    'agents',
    'prefixes',
  ];
  t.deepEqual(kinds.map(pluralOf), plurals);
});
