// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import { canonicalJson, firstDifference, isDeepEqual, stampHash } from './compare.ts';
import type { KubeObject } from './object.ts';

function object(parts: Record<string, unknown>): KubeObject {
  return { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'a' }, ...parts };
}

interface Case {
  readonly live: Record<string, unknown>;
  readonly desired: Record<string, unknown>;
  /** Path of the first difference; undefined when there is none. */
  readonly want: string | undefined;
}

const CASES: Record<string, Case> = {
  'a quota that somebody added to a ledger': {
    live: { kind: 'QuotaLedger', spec: { suspended: false, hard: { pods: '1k', services: '0' } } },
    desired: { kind: 'QuotaLedger', spec: { suspended: false, hard: { pods: '1000' } } },
    want: 'spec.hard.services',
  },
  'a limit that somebody added to a ledger': {
    live: { kind: 'QuotaLedger', spec: { suspended: false, maxConcurrentRuns: 0 } },
    desired: { kind: 'QuotaLedger', spec: { suspended: false } },
    want: 'spec.maxConcurrentRuns',
  },
  'the same': { live: { spec: { a: 1 } }, desired: { spec: { a: 1 } }, want: undefined },
  'fields that the API server added': {
    live: { spec: { a: 1, b: { c: 2 } } },
    desired: { spec: { a: 1 } },
    want: undefined,
  },
  'a field that is missing': { live: { spec: {} }, desired: { spec: { a: 1 } }, want: 'spec.a' },
  'a field that drifted': {
    live: { spec: { a: { b: 2 } } },
    desired: { spec: { a: { b: 1 } } },
    want: 'spec.a.b',
  },
  'a list that grew': { live: { spec: { l: [1, 2] } }, desired: { spec: { l: [1] } }, want: 'spec.l' },
  'a list in another order': {
    live: { spec: { l: [2, 1] } },
    desired: { spec: { l: [1, 2] } },
    want: 'spec.l.0',
  },
  'an element with defaults': {
    live: { spec: { ports: [{ port: 53, protocol: 'TCP' }] } },
    desired: { spec: { ports: [{ port: 53 }] } },
    want: undefined,
  },
  'ports that somebody added to a rule of ingress': {
    live: { spec: { ingress: [{ from: [{ a: 1 }], ports: [{ port: 22 }] }] } },
    desired: { spec: { ingress: [{ from: [{ a: 1 }] }] } },
    want: 'spec.ingress.0.ports',
  },
  'a port that somebody made a range of ports': {
    live: { spec: { egress: [{ ports: [{ port: 53, endPort: 65535 }] }] } },
    desired: { spec: { egress: [{ ports: [{ port: 53 }] }] } },
    want: 'spec.egress.0.ports.0.endPort',
  },
  'all namespaces, where those of a pod selector were meant': {
    live: { spec: { ingress: [{ from: [{ podSelector: { a: 1 }, namespaceSelector: {} }] }] } },
    desired: { spec: { ingress: [{ from: [{ podSelector: { a: 1 } }] }] } },
    want: 'spec.ingress.0.from.0.namespaceSelector',
  },
  'names that somebody added to a rule of a role': {
    live: { rules: [{ resources: ['pods'], verbs: ['get'], resourceNames: ['one'] }] },
    desired: { rules: [{ resources: ['pods'], verbs: ['get'] }] },
    want: 'rules.0.resourceNames',
  },
  'rules with what the API server fills in': {
    live: {
      spec: { egress: [{ to: [], ports: [{ port: 53, protocol: 'TCP' }] }], policyTypes: ['Egress'] },
      subjects: [{ kind: 'User', name: 'a', apiGroup: 'rbac.authorization.k8s.io' }],
    },
    desired: { spec: { egress: [{ ports: [{ port: 53 }] }] }, subjects: [{ kind: 'User', name: 'a' }] },
    want: undefined,
  },
  'bounds that the API server works out from others': {
    live: { spec: { limits: [{ type: 'Container', max: { cpu: '1' }, default: { cpu: '1' } }] } },
    desired: { spec: { limits: [{ type: 'Container', max: { cpu: '1' } }] } },
    want: undefined,
  },
  'quantities in other words': {
    live: { spec: { hard: { cpu: '1', memory: '1Gi', pods: '10', storage: '1500m' } } },
    desired: { spec: { hard: { cpu: '1000m', memory: '1024Mi', pods: 10, storage: '1.5' } } },
    want: undefined,
  },
  'a quantity with exponent': {
    live: { spec: { q: '1k' } },
    desired: { spec: { q: '1e3' } },
    want: undefined,
  },
  'quantities that differ by a little': {
    live: { spec: { cpu: '1' } },
    desired: { spec: { cpu: '1001m' } },
    want: 'spec.cpu',
  },
  'binary is not decimal': { live: { spec: { m: '1G' } }, desired: { spec: { m: '1Gi' } }, want: 'spec.m' },
  'quantities in data are text': {
    live: { data: { a: '1' } },
    desired: { data: { a: '1000m' } },
    want: 'data.a',
  },
  'quantities in labels are text': {
    live: { metadata: { name: 'a', labels: { a: '1' } } },
    desired: { metadata: { name: 'a', labels: { a: '1000m' } } },
    want: 'metadata.labels.a',
  },
  'words are not quantities': { live: { spec: { a: 'x' } }, desired: { spec: { a: 'y' } }, want: 'spec.a' },
  'an empty list that was dropped': {
    live: { spec: {} },
    desired: { spec: { ingress: [] } },
    want: undefined,
  },
  'an empty map that was dropped': { live: {}, desired: { spec: { podSelector: {} } }, want: undefined },
  'an empty list where there is one': {
    live: { spec: { ingress: [1] } },
    desired: { spec: { ingress: [] } },
    want: 'spec.ingress',
  },
  'an empty selector that was narrowed': {
    live: { spec: { podSelector: { matchLabels: { a: 'b' } } } },
    desired: { spec: { podSelector: {} } },
    want: 'spec.podSelector',
  },
  'an empty rule that was narrowed': {
    live: { spec: { ingress: [{ from: [1] }] } },
    desired: { spec: { ingress: [{}] } },
    want: 'spec.ingress.0',
  },
  'no labels wanted, and others put some': {
    live: { metadata: { name: 'a', labels: { x: 'y' } } },
    desired: { metadata: { name: 'a', labels: {} } },
    want: undefined,
  },
  'false is not nothing': { live: { spec: {} }, desired: { spec: { a: false } }, want: 'spec.a' },
  'a map where a text is wanted': {
    live: { spec: { a: {} } },
    desired: { spec: { a: 'x' } },
    want: 'spec.a',
  },
  'owners beside ours': {
    live: { metadata: { name: 'a', ownerReferences: [{ uid: 'other' }, { uid: 'ours', controller: true }] } },
    desired: { metadata: { name: 'a', ownerReferences: [{ uid: 'ours' }] } },
    want: undefined,
  },
  'our owner is missing': {
    live: { metadata: { name: 'a', ownerReferences: [{ uid: 'other' }] } },
    desired: { metadata: { name: 'a', ownerReferences: [{ uid: 'ours' }] } },
    want: 'metadata.ownerReferences',
  },
};

for (const [sentence, { live, desired, want }] of Object.entries(CASES)) {
  test(`firstDifference: ${sentence}`, (t) => {
    t.is(firstDifference(object(live), object(desired)), want);
  });
}

test('a field that is no longer wanted shows in the hash', (t) => {
  const live = stampHash(object({ spec: { a: 1, b: 2 } }), 'with-b');
  t.is(firstDifference(live, stampHash(object({ spec: { a: 1, b: 2 } }), 'with-b')), undefined);
  const found = firstDifference(live, stampHash(object({ spec: { a: 1 } }), 'without-b'));
  t.is(found, `metadata.annotations.${ANNOTATIONS.appliedHash}`);
});

test('every object is within itself, and equal to itself in any order of keys', (t) => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (spec) => {
      const shuffled = Object.fromEntries(Object.entries(spec).toReversed());
      t.is(firstDifference(object({ spec }), object({ spec })), undefined);
      t.true(isDeepEqual(spec, shuffled));
      t.is(canonicalJson(spec), canonicalJson(shuffled));
    }),
  );
});

test('isDeepEqual tells apart what JSON tells apart', (t) => {
  t.false(isDeepEqual({ a: 1 }, { a: '1' }));
  t.false(isDeepEqual([1], { 0: 1 }));
  t.false(isDeepEqual({ a: null }, {}));
  t.true(isDeepEqual({ a: undefined }, {}));
  t.false(isDeepEqual([1, 2], [1]));
});

test('a key that all objects seem to have is not there unless it is', (t) => {
  const own: unknown = JSON.parse('{"__proto__": {}}');
  t.false(isDeepEqual(own, { a: 1 }));
  t.false(isDeepEqual({ a: 1 }, own));
  t.true(isDeepEqual(own, JSON.parse('{"__proto__": {}}')));
});
