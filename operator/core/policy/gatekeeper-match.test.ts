// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import {
  constraintMatches,
  type MatchSubject,
  readConstraintMatch,
  subjectMatches,
} from './gatekeeper-match.ts';
import type { Review } from './review.ts';

const POD: MatchSubject = {
  group: '',
  kind: 'Pod',
  object: { metadata: { name: 'web-1', namespace: 'acme-dev', labels: { app: 'web' } } },
  namespace: { name: 'acme-dev', labels: { tenant: 'acme' } },
};
const NAMESPACE: MatchSubject = {
  group: '',
  kind: 'Namespace',
  object: { metadata: { name: 'acme-dev', labels: { tenant: 'acme' } } },
  namespace: undefined,
};
const NODE: MatchSubject = {
  group: '',
  kind: 'Node',
  object: { metadata: { name: 'n' } },
  namespace: undefined,
};
const INGRESS: MatchSubject = { ...POD, group: 'networking.k8s.io', kind: 'Ingress' };

/** For each match, whether it is about a Pod, its Namespace, a Node, and an Ingress. */
const MATCHES: Readonly<Record<string, readonly [unknown, string]>> = {
  'nothing said: everything': [undefined, 'PSNI'],
  'an empty one: everything': [{}, 'PSNI'],
  'a kind of the core': [{ kinds: [{ apiGroups: [''], kinds: ['Pod'] }] }, 'P'],
  'all kinds of a group': [{ kinds: [{ apiGroups: ['networking.k8s.io'], kinds: ['*'] }] }, 'I'],
  'a kind of any group': [{ kinds: [{ kinds: ['Pod', 'Ingress'] }] }, 'PI'],
  'of several, one is enough': [
    {
      kinds: [
        { apiGroups: [''], kinds: ['Node'] },
        { apiGroups: ['*'], kinds: ['Ingress'] },
      ],
    },
    'NI',
  ],
  'namespaces: what is in none is not left out': [{ namespaces: ['acme-dev'] }, 'PSNI'],
  'another namespace': [{ namespaces: ['acme'] }, 'N'],
  'namespaces that begin so': [{ namespaces: ['acme-*'] }, 'PSNI'],
  'namespaces that end so': [{ namespaces: ['*-dev'] }, 'PSNI'],
  'a star in between is a letter': [{ namespaces: ['a*dev'] }, 'N'],
  'excluded: the Namespace itself, too': [{ excludedNamespaces: ['acme-*'] }, 'N'],
  'excluded goes before included': [{ namespaces: ['acme-dev'], excludedNamespaces: ['*dev'] }, 'N'],
  'labels of the object': [{ labelSelector: { matchLabels: { app: 'web' } } }, 'PI'],
  'labels that it has not': [
    { labelSelector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] } },
    'SN',
  ],
  'labels of its namespace; what is in none is not left out': [
    { namespaceSelector: { matchLabels: { tenant: 'acme' } } },
    'PSNI',
  ],
  'labels that its namespace has not': [{ namespaceSelector: { matchLabels: { tenant: 'other' } } }, 'N'],
  Cluster: [{ scope: 'Cluster' }, 'SN'],
  Namespaced: [{ scope: 'Namespaced' }, 'PI'],
  'any scope': [{ scope: '*' }, 'PSNI'],
  'a name': [{ name: 'web-1' }, 'PI'],
  'a name that begins so': [{ name: 'web-*' }, 'PI'],
  'only what was generated': [{ source: 'Generated' }, ''],
  'only what was written': [{ source: 'Original' }, 'PSNI'],
  'all of it must hold': [{ kinds: [{ kinds: ['Pod'] }], labelSelector: { matchLabels: { app: 'db' } } }, ''],
};

for (const [name, [given, want]] of Object.entries(MATCHES)) {
  test(name, (t) => {
    const read = readConstraintMatch(given);
    if (read.kind === 'refused') throw new Error(read.field);
    const subjects = { P: POD, S: NAMESPACE, N: NODE, I: INGRESS };
    const found = Object.entries(subjects).filter(([, subject]) => subjectMatches(read.match, subject));
    t.is(found.map(([letter]) => letter).join(''), want);
  });
}

test('a namespace of which nothing is known leaves nothing out', (t) => {
  const match = { namespaceSelector: { matchLabels: { tenant: 'other' } } };
  t.true(subjectMatches(match, { ...POD, namespace: undefined }));
});

/** By pattern, whether it is of an object whose name is generated, and of one whose name is, as well. */
const GENERATED: Readonly<Record<string, readonly [boolean, boolean]>> = {
  'web-*': [true, true],
  '*eb-*': [true, true],
  'data-*': [false, true],
  'web-': [false, false],
  '*-': [false, false],
  '*-1': [false, true],
};

for (const [name, want] of Object.entries(GENERATED)) {
  test(`a generated name begins with what stands before it: ${name}`, (t) => {
    const generated = { metadata: { generateName: 'web-', namespace: 'acme-dev' } };
    const both = { metadata: { ...generated.metadata, name: 'data-1' } };
    t.deepEqual(
      [generated, both].map((object) => subjectMatches({ name }, { ...POD, object })),
      want,
    );
  });
}

test('what an object was before counts as well', (t) => {
  const review: Review = {
    uid: 'u',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    subResource: '',
    name: 'web',
    namespace: 'acme-dev',
    operation: 'UPDATE',
    userInfo: { username: 'ann', groups: [] },
    object: { metadata: { name: 'web', labels: {} } },
    oldObject: { metadata: { name: 'web', labels: { app: 'web' } } },
    dryRun: false,
  };
  const match = { labelSelector: { matchLabels: { app: 'web' } } };
  t.true(constraintMatches(match, review, undefined));
  t.false(constraintMatches({ labelSelector: { matchLabels: { app: 'db' } } }, review, undefined));
});

const REFUSED: Readonly<Record<string, readonly [unknown, string]>> = {
  'no object': ['x', 'spec.match'],
  'kinds as a text': [{ kinds: 'Pod' }, 'spec.match.kinds'],
  'a kind as a text': [{ kinds: ['Pod'] }, 'spec.match.kinds'],
  'namespaces as a text': [{ namespaces: 'acme' }, 'spec.match.namespaces'],
  'a source that does not exist': [{ source: 'Some' }, 'spec.match.source'],
  'a selector with an operator that does not exist': [
    { labelSelector: { matchExpressions: [{ key: 'a', operator: 'Is' }] } },
    'spec.match.labelSelector',
  ],
  'a selector that is to be in nothing': [
    { labelSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: [] }] } },
    'spec.match.labelSelector',
  ],
  'a selector that is to be there with a value': [
    { namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['x'] }] } },
    'spec.match.namespaceSelector',
  ],
  'a label that no object can have': [
    { labelSelector: { matchLabels: { 'a b': 'x' } } },
    'spec.match.labelSelector',
  ],
  'a value that no label can have': [
    { labelSelector: { matchExpressions: [{ key: 'a.example/b', operator: 'NotIn', values: ['-'] }] } },
    'spec.match.labelSelector',
  ],
  'labels that are no texts': [
    { namespaceSelector: { matchLabels: { a: 1 } } },
    'spec.match.namespaceSelector',
  ],
};

for (const [name, [given, want]] of Object.entries(REFUSED)) {
  test(`refused: ${name}`, (t) => {
    const read = readConstraintMatch(given);
    t.is(read.kind === 'refused' ? read.field : '', want);
  });
}
