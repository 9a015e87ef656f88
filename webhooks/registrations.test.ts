// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { DEFAULT_POLICY_RULES } from '#crds/v1alpha1/policy-binding';
import {
  type ForeignKind,
  operationsAskedAbout,
  registeredRules,
  type RegistrationSettings,
  registrations,
} from './registrations.ts';

interface Webhook {
  readonly name: string;
  readonly failurePolicy: string;
  readonly sideEffects: string;
  readonly timeoutSeconds: number;
  readonly rules: readonly {
    readonly apiGroups: readonly string[];
    readonly apiVersions: readonly string[];
    readonly resources: readonly string[];
    readonly operations: readonly string[];
    readonly scope: string;
  }[];
  readonly namespaceSelector?: { readonly matchExpressions: readonly object[] };
  readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
}

const SETTINGS: RegistrationSettings = {
  operatorUser: 'system:serviceaccount:platform:operator',
  platformNamespace: 'platform',
  breakGlassGroups: "['glass']",
  client: (path) => ({ url: `https://10.0.0.1${path}` }),
  timeoutSeconds: 3,
  foreign: [],
};

function webhooksWith(foreign: readonly ForeignKind[]): readonly Webhook[] {
  const made = registrations({ ...SETTINGS, foreign });
  return made.flatMap((one) => one['webhooks'] as readonly Webhook[]);
}

const WEBHOOKS = webhooksWith([]);

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

const ROLLOUTS = { group: 'argoproj.io', plural: 'rollouts' };

test('kinds of others are asked about as workloads are, by the very webhooks, in any version, and with their scale', (t) => {
  const wide = webhooksWith([ROLLOUTS, { group: 'x.io', plural: 'ys' }]);
  t.deepEqual(
    wide.map((one) => ({ ...one, rules: [] })),
    WEBHOOKS.map((one) => ({ ...one, rules: [] })),
    'nothing but rules: a webhook of its own would be one that nobody trusts at first',
  );
  const more = wide.map(({ rules }, index) => rules.slice(WEBHOOKS[index]?.rules.length));
  const rule = { apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], scope: 'Namespaced' };
  t.deepEqual(more, [
    [],
    [
      { ...rule, apiGroups: ['argoproj.io'], resources: ['rollouts', 'rollouts/scale'] },
      { ...rule, apiGroups: ['x.io'], resources: ['ys', 'ys/scale'] },
    ],
    [
      { ...rule, apiGroups: ['argoproj.io'], resources: ['rollouts'] },
      { ...rule, apiGroups: ['x.io'], resources: ['ys'] },
    ],
  ]);
});

test('what is asked about is what the API server has', (t) => {
  const [validating] = registrations({ ...SETTINGS, foreign: [ROLLOUTS] });
  const registered = registeredRules(validating);
  const asked = (group: string, resource: string) => [...operationsAskedAbout(group, resource, registered)];
  t.deepEqual(asked('argoproj.io', 'rollouts'), ['CREATE', 'UPDATE']);
  t.deepEqual(asked('argoproj.io', 'rollouts/scale'), ['CREATE', 'UPDATE']);
  t.deepEqual(asked('argoproj.io', 'rollouts/status'), []);
  t.deepEqual(asked('argoproj.io', 'workflows'), []);
  t.deepEqual(asked('', 'pods'), ['CREATE', 'UPDATE']);
  t.deepEqual([...operationsAskedAbout('argoproj.io', 'rollouts')], [], 'where nothing is known');
  t.is(registeredRules(undefined), undefined);
  const narrowed = { ...validating!, webhooks: [{}] };
  t.deepEqual(registeredRules(narrowed), []);
  t.deepEqual([...operationsAskedAbout('', 'pods', registeredRules(narrowed))], [], 'somebody took it away');
});
