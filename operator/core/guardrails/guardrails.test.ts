// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../object.ts';
import { PARAMETERS } from '../tenant/guardrail-parameters.ts';
import { guardrails } from './guardrails.ts';
import { isTrusted, quote, toObjects } from './policy.ts';

const SETTINGS = {
  operatorUser: 'system:serviceaccount:platform:operator',
  platformNamespace: 'platform',
  platformAdminGroups: ['system:masters', "o'brien"],
  reservedNodeKeys: ['nvidia.com'],
  operatorWrites: [{ group: '', resource: 'configmaps' }],
};

interface PolicySpec {
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
  readonly paramRef?: { readonly parameterNotFoundAction: string };
}

function ofKind(kind: string): readonly KubeObject[] {
  return guardrails(SETTINGS).filter((one) => one.kind === kind);
}

const POLICIES = ofKind('ValidatingAdmissionPolicy');
const BINDINGS = ofKind('ValidatingAdmissionPolicyBinding');

test('every policy is bound once, and denies', (t) => {
  const bound = BINDINGS.map((one) => one['spec'] as BindingSpec);
  t.deepEqual(
    bound.map(({ policyName }) => policyName),
    POLICIES.map(({ metadata }) => metadata.name),
  );
  t.is(new Set(bound.map(({ policyName }) => policyName)).size, POLICIES.length);
  t.true(bound.every(({ validationActions }) => validationActions.includes('Deny')));
});

function namesAfter(prefix: string, text: string): readonly string[] {
  return text
    .split(prefix)
    .slice(1)
    .map((rest) => /^\w+/.exec(rest)?.[0] ?? '');
}

for (const { metadata, ...policy } of POLICIES) {
  const spec = policy['spec'] as PolicySpec;

  test(`${metadata.name} closes when it cannot be judged`, (t) => {
    t.is(spec.failurePolicy, 'Fail');
    const binding = BINDINGS.find((one) => one.metadata.name === metadata.name)?.['spec'] as BindingSpec;
    t.is(binding.paramRef?.parameterNotFoundAction, spec.paramKind === undefined ? undefined : 'Deny');
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
