// SPDX-License-Identifier: Apache-2.0
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import type { KubeObject } from '../object.ts';
import { PARAMETERS } from '../tenant/guardrail-parameters.ts';
import { tenantClusterRoles } from '../tenant/roles.ts';
import { guardrails } from './guardrails.ts';
import { managedObjectGuardrails } from './ownership.ts';
import { isTrusted, quote, toObjects } from './policy.ts';

const SETTINGS = {
  operatorUser: 'system:serviceaccount:platform:operator',
  platformNamespace: 'platform',
  platformAdminGroups: ['system:masters', "o'brien"],
  reservedNodeKeys: ['nvidia.com'],
  webhookSecret: 'nexusos-webhooks-tls',
  kueueUser: 'system:serviceaccount:kueue-system:kueue',
  remoteImage: 'registry.example.com/nexusos:1',
  operatorWrites: [{ group: '', resource: 'configmaps' }],
};

interface ResourceRule {
  readonly operations: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
}

interface PolicySpec {
  readonly matchConstraints: {
    readonly resourceRules: readonly ResourceRule[];
    readonly excludeResourceRules?: readonly (ResourceRule & {
      readonly resourceNames?: readonly string[];
    })[];
    readonly objectSelector?: object;
  };
  readonly failurePolicy: string;
  readonly paramKind?: object;
  readonly variables: readonly { readonly name: string; readonly expression: string }[];
  readonly validations: readonly {
    readonly expression: string;
    readonly messageExpression: string;
    readonly reason: string;
  }[];
}

interface BindingSpec {
  readonly policyName: string;
  readonly validationActions: readonly string[];
  readonly matchResources?: {
    readonly resourceRules?: readonly ResourceRule[];
    readonly namespaceSelector?: object;
  };
  readonly paramRef?: { readonly parameterNotFoundAction: string };
}

function ofKind(kind: string): readonly KubeObject[] {
  return guardrails(SETTINGS).filter((one) => one.kind === kind);
}

const POLICIES = ofKind('ValidatingAdmissionPolicy');
/** Versions before had bound a policy of this name already: under another one it would be in force too late. */
const RUN_POLICY = 'nexusos-run-decisions';
const BINDINGS = ofKind('ValidatingAdmissionPolicyBinding');

test('every policy is bound, once for each request, and denies', (t) => {
  const bound = BINDINGS.map((one) => one['spec'] as BindingSpec);
  t.deepEqual(
    [...new Set(bound.map(({ policyName }) => policyName))],
    POLICIES.map(({ metadata }) => metadata.name),
  );
  t.true(bound.every(({ validationActions }) => validationActions.includes('Deny')));
  for (const { metadata, ...policy } of POLICIES) {
    const { matchConstraints } = policy['spec'] as PolicySpec;
    const ofIt = bound.filter(({ policyName }) => policyName === metadata.name);
    const whole = requestsOf(matchConstraints.resourceRules);
    const parts = ofIt.flatMap(({ matchResources }) =>
      requestsOf(matchResources?.resourceRules ?? matchConstraints.resourceRules),
    );
    t.deepEqual(parts.toSorted(), whole.toSorted(), metadata.name);
  }
});

/** Every operation on every resource of some rules, as text. */
function requestsOf(rules: readonly ResourceRule[]): readonly string[] {
  return rules.flatMap(({ operations, apiGroups, resources }) =>
    operations.flatMap((operation) =>
      resources.map((resource) => `${operation} ${apiGroups.join()}/${resource}`),
    ),
  );
}

function namesAfter(prefix: string, text: string): readonly string[] {
  return text
    .split(prefix)
    .slice(1)
    .map((rest) => /^\w+/.exec(rest)?.[0] ?? '');
}

for (const { metadata, ...policy } of POLICIES) {
  const spec = policy['spec'] as PolicySpec;

  test(`${metadata.name} closes when it cannot be judged, but for changes of what is there`, (t) => {
    t.is(spec.failurePolicy, 'Fail');
    for (const binding of BINDINGS) {
      const { policyName, paramRef, matchResources } = binding['spec'] as BindingSpec;
      if (policyName !== metadata.name) continue;
      const isOfChanges = binding.metadata.name === `${policyName}-changes`;
      const action = isOfChanges ? 'Allow' : 'Deny';
      t.is(paramRef?.parameterNotFoundAction, spec.paramKind === undefined ? undefined : action);
      const requests = requestsOf(matchResources?.resourceRules ?? []);
      if (isOfChanges)
        t.true(
          requests.every((one) => /^UPDATE [^/]*\/[^/]*$/.test(one)),
          requests.join(),
        );
    }
  });

  test(`${metadata.name} tells field, found, allowed and whom to ask`, (t) => {
    t.true(spec.validations.length > 0);
    for (const { messageExpression, reason } of spec.validations) {
      t.regex(
        messageExpression,
        /^'policy_blocked: .+: found ' \+ .+; allowed: .+; ask ' \+ variables\.contact$/,
      );
      t.is(reason, 'Forbidden');
    }
  });

  test(`${metadata.name} reads no parameter that is not there, and uses no variable before it is made`, (t) => {
    const expressions = spec.validations.map(
      ({ expression, messageExpression }) => expression + messageExpression,
    );
    const all = [...spec.variables.map(({ expression }) => expression), ...expressions].join('\n');
    const known: readonly string[] = Object.values(PARAMETERS);
    t.deepEqual(
      namesAfter('params.data.', all).filter((key) => !known.includes(key)),
      [],
    );
    const made = spec.variables.map(({ name }) => name);
    const early = spec.variables.flatMap(({ expression }, i) =>
      namesAfter('variables.', expression).filter((used) => !made.slice(0, i).includes(used)),
    );
    t.deepEqual(early, []);
    t.deepEqual(
      namesAfter('variables.', all).filter((used) => !made.includes(used)),
      [],
    );
  });
}

test('text becomes a CEL string whatever is in it', (t) => {
  t.is(quote(`it's a \\`), String.raw`'it\'s a \\'`);
  t.true(isTrusted(SETTINGS).includes(String.raw`g in ['system:masters', 'o\'brien']`));
});

test('objects of ours, by name, are not judged by policies whose parameters come with them', (t) => {
  const [policy] = toObjects({
    name: 'x',
    match: [{ apiGroups: [''], resources: ['configmaps'], operations: ['CREATE'] }],
    exceptNames: ['mine'],
    binds: 'tenant',
    rules: [],
  });
  t.like(policy?.['spec'], {
    matchConstraints: { excludeResourceRules: [{ resources: ['configmaps'], resourceNames: ['mine'] }] },
  });
});

test('what policies leave to others, no role of a tenant can write', (t) => {
  const specs = POLICIES.map((policy) => policy['spec'] as PolicySpec);
  const excluded = specs.flatMap(({ matchConstraints: { excludeResourceRules = [] } }) =>
    excludeResourceRules.filter(({ resourceNames }) => resourceNames === undefined),
  );
  // New pods and new Runs have policies of their own, of which the next tests are.
  const ofOwnPolicy = ['nexusos-managed-pods', RUN_POLICY].flatMap(
    (name) => conditionalOf(name).matchConstraints.resourceRules,
  );
  const left = new Set(
    excluded.filter((one) => !ofOwnPolicy.some((own) => isSameRule(own, one))).flatMap(resourcesOf),
  );
  t.true(left.has('/pods/status'), 'there are some');
  const writable = tenantClusterRoles()
    .filter(({ metadata }) => metadata.name.startsWith('nexusos:tenant-'))
    .flatMap((role) => role['rules'] as readonly RoleRule[])
    .filter(({ verbs }) => verbs.some((verb) => !['get', 'list', 'watch'].includes(verb)))
    .flatMap(resourcesOf);
  t.true(writable.includes('/pods'), 'the names are of one form');
  t.deepEqual(
    writable.filter((one) => left.has(one)),
    [],
  );
});

interface RoleRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

function isSameRule(one: ResourceRule, other: ResourceRule): boolean {
  return isDeepStrictEqual(requestsOf([one]), requestsOf([other]));
}

test('of new pods, only what the policy of pods lets nobody else make is let past that of managed objects', (t) => {
  const [managed, ofPods] = [conditionalOf('nexusos-managed-objects'), conditionalOf('nexusos-managed-pods')];
  const { objectSelector, ...matched } = ofPods.matchConstraints;
  t.true(
    managed.matchConstraints.excludeResourceRules?.some((one) =>
      isSameRule(one, matched.resourceRules[0] ?? one),
    ),
  );
  t.deepEqual(requestsOf(matched.resourceRules), ['CREATE /pods']);
  // Beside that it is the same policy, in the same namespaces.
  const { matchConstraints: _, ...judged } = ofPods;
  const { matchConstraints: __, ...asElsewhere } = managed;
  t.deepEqual(judged, asElsewhere);
  const [binding, elsewhere] = ['nexusos-managed-pods', 'nexusos-managed-objects'].map(placesOf);
  t.deepEqual(binding, elsewhere);
  t.deepEqual(objectSelector, {
    matchExpressions: [{ key: 'nexusos.dev/run-uid', operator: 'DoesNotExist' }],
  });
  // A pod with that label is refused there to all but the operator, whom the policy of managed objects lets past.
  const { validations, matchConstraints } = conditionalOf('nexusos-pods');
  const rule = validations.find(
    ({ expression }) =>
      expression.includes('nexusos.dev/run-uid') &&
      expression.startsWith("request.operation != 'CREATE' || "),
  );
  t.true(rule?.expression.endsWith(` || request.userInfo.username == ${quote(SETTINGS.operatorUser)}`));
  t.false('objectSelector' in matchConstraints);
  t.true(requestsOf(matchConstraints.resourceRules).includes('CREATE /pods'));
  t.deepEqual(
    placesOf('nexusos-pods')
      .filter(({ requests }) => requests.includes('CREATE /pods'))
      .map(({ namespaceSelector }) => namespaceSelector),
    binding?.map(({ namespaceSelector }) => namespaceSelector),
  );
  t.true(isTrusted(SETTINGS).includes(quote(SETTINGS.operatorUser)));
});

function wordsOf({ validations }: PolicySpec): readonly string[] {
  return validations.map(({ messageExpression }) => messageExpression);
}

/** What a part of the policy of Runs asks of new ones, where it asks `ofChanged` of changes. */
function ofNewRuns(expression: string, ofChanged: string): string | undefined {
  const either = expression.replace(/^variables\.inTenant && \((.*)\)$/s, '$1');
  const [start, end] = ["request.operation == 'CREATE' ? (", `) : (${ofChanged})`];
  return either.startsWith(start) && either.endsWith(end)
    ? either.slice(start.length, -end.length)
    : undefined;
}

test('Runs are judged by one policy, new ones by all rules that others leave to it', (t) => {
  const [managed, ofRuns] = [conditionalOf('nexusos-managed-objects'), conditionalOf(RUN_POLICY)];
  const isOfNewRuns = (one: ResourceRule) => requestsOf([one]).join() === 'CREATE nexusos.dev/runs';
  t.true(managed.matchConstraints.excludeResourceRules?.some(isOfNewRuns));
  t.deepEqual(requestsOf(ofRuns.matchConstraints.resourceRules), [
    'CREATE nexusos.dev/runs',
    'UPDATE nexusos.dev/runs',
  ]);
  t.deepEqual(Object.keys(ofRuns.matchConstraints), ['resourceRules']);
  t.deepEqual(placesOf(RUN_POLICY), [{ namespaceSelector: undefined, requests: [] }]);
  t.deepEqual(
    wordsOf(managed).filter((one) => !wordsOf(ofRuns).includes(one)),
    [],
    'what is refused there is refused here',
  );
  // Each rule holds where its part of the condition does, in the same words; changes are judged by whether they decide alone.
  const [condition] = ofRuns.matchConditions;
  t.is(ofRuns.matchConditions.length, 1);
  const ofChanged = condition?.expression.split(') : ((').at(-1)?.slice(0, -2) ?? '';
  t.true(ofChanged.includes('spec.approval'));
  const parts = ofRuns.variables.filter(({ name }) => name.startsWith('of'));
  const ofNew = parts.map(({ name, expression }) =>
    ofNewRuns(expression, name === 'ofDecision' ? ofChanged : 'false'),
  );
  t.is(
    condition?.expression,
    `request.operation == 'CREATE' ? (${ofNew.map((one) => `(${one})`).join(' || ')}) : ((${ofChanged}))`,
  );
  t.true(
    ofRuns.validations.every(({ expression }) =>
      parts.some(({ name }) => expression.startsWith(`!variables.${name} || (`)),
    ),
  );
  // Two that are of one name would be one, of the wrong part.
  const names = ofRuns.variables.map(({ name }) => name);
  t.deepEqual(
    managed.variables.filter(
      ({ name, expression }) => ofRuns.variables.find((one) => one.name === name)?.expression !== expression,
    ),
    [],
  );
  t.is(new Set(names).size, names.length);
});

test('an upgrade leaves no new Run unjudged: its policy is one that was bound before, and is changed first', (t) => {
  // What is created now is bound only when all policies are written.
  const leavesRuns = POLICIES.findIndex((one) =>
    requestsOf((one['spec'] as PolicySpec).matchConstraints.excludeResourceRules ?? []).some((request) =>
      request.endsWith(' nexusos.dev/runs'),
    ),
  );
  t.is(POLICIES[leavesRuns]?.metadata.name, 'nexusos-managed-objects');
  t.true(POLICIES.findIndex(({ metadata }) => metadata.name === RUN_POLICY) < leavesRuns);
});

/** What rules of managed objects are about. A new rule has to follow from what is asked of a new Run at a glance, or that has to ask for what the rule asks. */
const CONSIDERED = [
  'metadata.labels["app.kubernetes.io/managed-by"]',
  'metadata.labels',
  'metadata.ownerReferences',
  'metadata.name',
  'subjects',
  'spec.replicas',
  'type',
];

test('what is asked of new Runs at a glance was thought through for every rule of managed objects', (t) => {
  const fields = managedObjectGuardrails(SETTINGS).map(({ rules }) => rules.map(({ field }) => field));
  for (const one of fields) t.deepEqual(one, CONSIDERED);
});

/** Where a policy is in force. */
function placesOf(policy: string) {
  const bound = BINDINGS.map((one) => one['spec'] as BindingSpec).filter(
    ({ policyName }) => policyName === policy,
  );
  return bound.map(({ matchResources }) => ({
    namespaceSelector: matchResources?.namespaceSelector,
    requests: requestsOf(matchResources?.resourceRules ?? []),
  }));
}

/** Every resource of a rule with its group, as text. */
function resourcesOf({ apiGroups, resources }: Pick<RoleRule, 'apiGroups' | 'resources'>): readonly string[] {
  return apiGroups.flatMap((group) => resources.map((resource) => `${group}/${resource}`));
}

function conditionalOf(name: string) {
  return POLICIES.find(({ metadata }) => metadata.name === name)?.['spec'] as PolicySpec & {
    readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
  };
}

test('what the policy of managed objects leaves out of our kinds, nobody writes whom it would judge', (t) => {
  const [managed, records] = [conditionalOf('nexusos-managed-objects'), conditionalOf('nexusos-records')];
  const ofOwnPolicy = conditionalOf(RUN_POLICY).matchConstraints.resourceRules;
  const left = managed.matchConstraints.excludeResourceRules?.filter(
    (one) => one.apiGroups.includes('nexusos.dev') && !ofOwnPolicy.some((own) => isSameRule(own, one)),
  );
  t.true(left?.some(({ resources }) => resources.includes('runs/status')));
  for (const { resources, operations } of left ?? []) {
    for (const resource of resources) {
      const judged = records.matchConstraints.resourceRules.filter((one) => one.resources.includes(resource));
      t.deepEqual(
        operations.filter((one) => !judged.some((rule) => rule.operations.includes(one))),
        [],
        resource,
      );
    }
  }
  // The same people are let past both, and of all others nothing is let pass.
  t.is(records.matchConditions.length, 1);
  t.true(
    managed.matchConditions.some(({ expression }) => expression === records.matchConditions[0]?.expression),
  );
  t.deepEqual(
    records.validations.map(({ expression }) => expression),
    ['false'],
  );
  const bindings = BINDINGS.map((one) => one['spec'] as BindingSpec);
  const bound = bindings.filter(({ policyName }) => policyName === 'nexusos-records');
  t.true(bound.length === 1 && bound.every(({ matchResources }) => matchResources === undefined));
});
