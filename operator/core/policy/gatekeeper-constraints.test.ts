// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Constraint, constraintsFor, constraintsOf, readConstraint } from './gatekeeper-constraints.ts';
import type { Review } from './review.ts';

const REVIEW: Review = {
  uid: 'u',
  kind: { group: '', version: 'v1', kind: 'Pod' },
  resource: { group: '', version: 'v1', resource: 'pods' },
  subResource: '',
  name: 'web',
  namespace: 'acme-dev',
  operation: 'CREATE',
  userInfo: { username: 'ann', groups: [] },
  object: { metadata: { name: 'web', namespace: 'acme-dev' } },
  dryRun: false,
};

function read(spec: Readonly<Record<string, unknown>>): Constraint {
  const found = readConstraint({ kind: 'K8sX', metadata: { name: 'x' }, spec });
  if (found.kind === 'refused') throw new Error(JSON.stringify(found.faults));
  return found.constraint;
}

const scoped = (...actions: readonly (readonly [string, ...string[]])[]) => ({
  enforcementAction: 'scoped',
  scopedEnforcementActions: actions.map(([action, ...points]) => ({
    action,
    enforcementPoints: points.map((name) => ({ name })),
  })),
});

const ACTIONS: Readonly<
  Record<string, { readonly spec: Readonly<Record<string, unknown>>; readonly want: readonly string[][] }>
> = {
  'deny where nothing is said': { spec: {}, want: [['deny'], ['deny'], ['deny']] },
  'warn everywhere': { spec: { enforcementAction: 'warn' }, want: [['warn'], ['warn'], ['warn']] },
  'what is said of each place': {
    spec: scoped(['deny', 'validation.gatekeeper.sh'], ['warn', 'gator.gatekeeper.sh']),
    want: [['deny'], [], ['warn']],
  },
  'what is said of all places, beside that of one': {
    spec: scoped(['dryrun', '*'], ['warn', 'audit.gatekeeper.sh', 'vap.k8s.io']),
    want: [['dryrun'], ['dryrun', 'warn'], ['dryrun']],
  },
};

for (const [name, { spec, want }] of Object.entries(ACTIONS)) {
  test(`actions: ${name}`, (t) => {
    const constraint = read(spec);
    const actions = (['webhook', 'audit', 'cli'] as const).map((point) =>
      constraintsFor([constraint], { review: REVIEW, namespace: undefined, point }).map(
        (one) => one.enforcementAction,
      ),
    );
    t.deepEqual(actions, want as typeof actions);
  });
}

test('only constraints that are about the request are handed over, without their match', (t) => {
  const here = read({ match: { namespaces: ['acme-*'] }, parameters: { a: 1 } });
  const elsewhere = read({ match: { namespaces: ['other'] } });
  const point = 'webhook';
  const given = constraintsFor([here, elsewhere], { review: REVIEW, namespace: undefined, point });
  t.deepEqual(given, [{ kind: 'K8sX', name: 'x', parameters: { a: 1 }, enforcementAction: 'deny' }]);
});

const FAULTS: Readonly<Record<string, readonly [unknown, readonly string[]]>> = {
  'no object': ['x', ['']],
  'no kind and no name': [{ spec: {} }, ['kind', 'metadata.name']],
  'a spec that is none': [{ kind: 'K', metadata: { name: 'x' }, spec: [] }, ['spec']],
  'parameters that are none': [
    { kind: 'K', metadata: { name: 'x' }, spec: { parameters: [1] } },
    ['spec.parameters'],
  ],
  'an action that does not exist': [
    { kind: 'K', metadata: { name: 'x' }, spec: { enforcementAction: 'denny' } },
    ['spec.enforcementAction'],
  ],
  'scoped, and no scope': [
    { kind: 'K', metadata: { name: 'x' }, spec: { enforcementAction: 'scoped' } },
    ['spec.scopedEnforcementActions'],
  ],
  'a scope that cannot be read': [
    { kind: 'K', metadata: { name: 'x' }, spec: { ...scoped(['deny', '*'], ['no', '*']) } },
    ['spec.scopedEnforcementActions[1]'],
  ],
  'a match that cannot be read': [
    { kind: 'K', metadata: { name: 'x' }, spec: { match: { namespaces: 'acme' } } },
    ['spec.match.namespaces'],
  ],
};

for (const [name, [value, want]] of Object.entries(FAULTS)) {
  test(`refused: ${name}`, (t) => {
    const found = readConstraint(value);
    t.deepEqual(found.kind === 'refused' ? found.faults.map((one) => one.field) : [], want);
  });
}

test('what was verified before selects as it did, and nothing new like it is taken', (t) => {
  const odd = {
    matchLabels: { 'a b': 'c' },
    matchExpressions: [
      { key: 'a', operator: 'In', values: [] },
      { key: 'a', operator: 'Exists', values: ['b'] },
    ],
  };
  const value = { kind: 'K', metadata: { name: 'x' }, spec: { match: { labelSelector: odd } } };
  const data = { gatekeeper: { constraints: [value] } };
  t.is(constraintsOf(data)?.[0]?.kind, 'refused');
  const [read] = constraintsOf(data, 'verified') ?? [];
  t.deepEqual(read?.kind === 'ok' ? read.constraint.match.labelSelector : undefined, odd);
  const wrong = { ...value, spec: { match: { labelSelector: { matchLabels: { a: 1 } } } } };
  t.is(constraintsOf({ gatekeeper: { constraints: [wrong] } }, 'verified')?.[0]?.kind, 'refused');
});

test('the data of a pack: none of it, some, or what cannot be read', (t) => {
  t.is(constraintsOf({ tools: {} }), undefined);
  t.is(constraintsOf(undefined), undefined);
  const constraint = { kind: 'K', metadata: { name: 'x' } };
  t.deepEqual(
    constraintsOf({ gatekeeper: { constraints: [constraint] } })?.map((one) => one.kind),
    ['ok'],
  );
  t.deepEqual(
    constraintsOf({ gatekeeper: { constraints: {} } })?.map((one) => one.kind),
    ['refused'],
  );
});
