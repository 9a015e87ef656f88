// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { PolicyRule } from '#operator/runtime/controller';
import { allows, mergeRules } from './rules.ts';

function rule(group: string, resources: string, verbs: string): PolicyRule {
  return { apiGroups: [group], resources: resources.split(' '), verbs: verbs.split(' ') };
}

function named(resourceNames: readonly string[], of: PolicyRule): PolicyRule {
  return { ...of, resourceNames };
}

const CASES: Readonly<Record<string, { given: readonly PolicyRule[]; want: readonly PolicyRule[] }>> = {
  'nothing stays nothing': { given: [], want: [] },
  'verbs of the same thing meet, sorted': {
    given: [rule('', 'pods', 'watch'), rule('', 'pods', 'get watch')],
    want: [rule('', 'pods', 'get watch')],
  },
  'resources with the same verbs meet': {
    given: [rule('', 'pods', 'get list'), rule('', 'namespaces', 'list get')],
    want: [rule('', 'namespaces pods', 'get list')],
  },
  'groups stay apart': {
    given: [rule('batch', 'jobs', 'get'), rule('', 'pods', 'get')],
    want: [rule('', 'pods', 'get'), rule('batch', 'jobs', 'get')],
  },
  'named objects stay apart from all objects': {
    given: [named(['b', 'a'], rule('', 'secrets', 'get')), rule('', 'secrets', 'list')],
    want: [named(['a', 'b'], rule('', 'secrets', 'get')), rule('', 'secrets', 'list')],
  },
};

for (const [title, { given, want }] of Object.entries(CASES)) {
  test(title, (t) => {
    t.deepEqual(mergeRules(given), want);
    t.deepEqual(mergeRules(want), want, 'merging twice changes nothing');
  });
}

for (const wide of [rule('*', 'pods', 'get'), rule('', 'pods/*', 'get'), rule('', 'pods', '*')]) {
  test(`no wildcard: ${JSON.stringify(wide)}`, (t) => {
    t.throws(() => mergeRules([wide]), { message: /may not contain \*/ });
  });
}

test('only an unnamed rule allows all objects', (t) => {
  const rules = [rule('', 'pods', 'get list'), named(['a'], rule('', 'secrets', 'get'))];
  t.true(allows(rules, { group: '', resource: 'pods', verb: 'list' }));
  t.false(allows(rules, { group: '', resource: 'pods', verb: 'watch' }));
  t.false(allows(rules, { group: 'batch', resource: 'pods', verb: 'list' }));
  t.false(allows(rules, { group: '', resource: 'secrets', verb: 'get' }));
});
