// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { DEFAULT_POLICY_RULES } from '#crds/v1alpha1/policy-binding';
import { operationsAskedAbout, registrations } from './registrations.ts';

interface Webhook {
  readonly name: string;
  readonly failurePolicy: string;
  readonly sideEffects: string;
  readonly timeoutSeconds: number;
  readonly rules: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly operations: readonly string[];
    readonly scope: string;
  }[];
  readonly namespaceSelector?: { readonly matchExpressions: readonly object[] };
  readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
}

const WEBHOOKS = registrations({
  operatorUser: 'system:serviceaccount:platform:operator',
  platformNamespace: 'platform',
  breakGlassGroups: "['glass']",
  client: (path) => ({ url: `https://10.0.0.1${path}` }),
  timeoutSeconds: 3,
}).flatMap((one) => one['webhooks'] as readonly Webhook[]);

test('what nobody judged does not pass, and nobody waits for long', (t) => {
  t.deepEqual(
    WEBHOOKS.map(({ name }) => name),
    ['kinds.nexusos.dev', 'workloads.nexusos.dev', 'defaults.nexusos.dev'],
  );
  for (const { failurePolicy, sideEffects, timeoutSeconds } of WEBHOOKS)
    t.deepEqual([failurePolicy, sideEffects, timeoutSeconds], ['Fail', 'None', 3]);
});

test('what a cluster lives by is never asked about: leases, nodes, endpoints, events, tokens, and our own registration', (t) => {
  const asked = WEBHOOKS.flatMap(({ rules }) =>
    rules.flatMap(({ apiGroups, resources }) => apiGroups.flatMap((g) => resources.map((r) => `${g}/${r}`))),
  );
  t.true(asked.includes('/pods'));
  for (const one of asked) {
    t.notRegex(one, /\*/);
    t.notRegex(one, /lease|node|endpoint|event|token|binding$|webhook|customresource|admission|certificates/);
    t.notRegex(one, /\/status$|secrets/);
  }
});

test('workloads are asked about in namespaces of tenants alone, and never in those that the cluster stands on', (t) => {
  const wanted = [
    { key: 'nexusos.dev/tenant', operator: 'Exists' },
    {
      key: 'kubernetes.io/metadata.name',
      operator: 'NotIn',
      values: ['kube-system', 'kube-public', 'kube-node-lease', 'platform'],
    },
  ];
  for (const { namespaceSelector, rules } of WEBHOOKS.slice(1)) {
    t.deepEqual(namespaceSelector?.matchExpressions, wanted);
    t.true(rules.every(({ scope }) => scope === 'Namespaced'));
    t.true(
      rules.every(({ operations }) => !operations.includes('DELETE')),
      'a tenant can always let go of what it has',
    );
  }
});

test('everywhere there is a way out', (t) => {
  for (const { matchConditions } of WEBHOOKS) {
    const names = matchConditions.map(({ name }) => name);
    t.deepEqual(names, ['break-glass', 'kubernetes', 'leaving', 'operator']);
    t.regex(matchConditions[0]!.expression, /g in \['glass'\]/);
  }
});

test('packs see who scales: by kubectl scale, or an autoscaler of their own, a limit of replicas could else be passed by', (t) => {
  for (const [group, resource] of [
    ['apps', 'deployments/scale'],
    ['apps', 'statefulsets/scale'],
    ['apps', 'replicasets/scale'],
    ['', 'replicationcontrollers/scale'],
  ] as const)
    t.deepEqual([...operationsAskedAbout(group, resource)], ['CREATE', 'UPDATE'], resource);
  t.deepEqual([...operationsAskedAbout('apps', 'daemonsets/scale')], []);
});

test('what a pack is bound to that says nothing is asked about, all of it', (t) => {
  const named = DEFAULT_POLICY_RULES.flatMap(({ apiGroups, resources }) =>
    apiGroups.flatMap((group) => resources.map((resource) => [group, resource] as const)),
  );
  t.true(named.length > 0);
  for (const [group, resource] of named)
    t.deepEqual([...operationsAskedAbout(group, resource)], ['CREATE', 'UPDATE'], `${group}/${resource}`);
});
