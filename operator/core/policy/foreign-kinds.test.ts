// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Resource } from '../object.ts';
import { GROUPS_OF_KUBERNETES, isForeignGroup, readForeignKinds } from './foreign-kinds.ts';

const ROLLOUTS: Resource = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  plural: 'rollouts',
  namespaced: true,
};
const many = (count: number) => Array.from({ length: count }, (_, at) => `a.io/v1/k${at}s=K`).join(',');

const TEXTS: Readonly<Record<string, readonly [string, readonly Resource[] | readonly RegExp[]]>> = {
  none: ['', []],
  'one, and another of the same group': [
    'argoproj.io/v1alpha1/rollouts=Rollout, argoproj.io/v1alpha1/workflows=Workflow',
    [ROLLOUTS, { ...ROLLOUTS, kind: 'Workflow', plural: 'workflows' }],
  ],
  'a CustomResourceDefinition under k8s.io': [
    'gateway.networking.k8s.io/v1/tcproutes=TCPRoute',
    [
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'TCPRoute',
        plural: 'tcproutes',
        namespaced: true,
      },
    ],
  ],
  'a kind of ours, and one that lives below': [
    'nexusos.dev/v1alpha1/runs=Run,x.nexusos.dev/v1/ys=Y',
    [/^found group nexusos\.dev; allowed are groups of Custom/, /^found group x\.nexusos\.dev; /],
  ],
  'what the cluster lives by': [
    'coordination.k8s.io/v1/leases=Lease',
    [/^found group coordination\.k8s\.io; allowed are/],
  ],
  'a group of Kubernetes without a dot': ['apps/v1/deployments=Deployment', [/^found "apps\/v1/]],
  'the core group': ['v1/secrets=Secret', [/^found "v1\/secrets=Secret"; allowed is group\/version/]],
  'all kinds of a group': ['argoproj.io/v1alpha1/*=Rollout', [/^found "argoproj/]],
  'all groups': ['*/v1/rollouts=Rollout', [/^found "\*/]],
  'all versions': ['argoproj.io/*/rollouts=Rollout', [/^found "argoproj/]],
  'the status of a kind': ['argoproj.io/v1alpha1/rollouts/status=Rollout', [/^found "argoproj/]],
  'a kind twice, in two versions': [
    'argoproj.io/v1alpha1/rollouts=Rollout,argoproj.io/v1/rollouts=Rollout',
    [/^found rollouts\.argoproj\.io twice; allowed is each kind once/],
  ],
  'an end too many': ['argoproj.io/v1alpha1/rollouts=Rollout,', [/^found ""; allowed/]],
  'too many': [many(65), [/^found 65 kinds; allowed are 64$/]],
  'a group that is too long': [`${'a'.repeat(63)}.${'b.'.repeat(100)}io/v1/rs=R`, [/^found "aaa/]],
};

for (const [name, [text, want]] of Object.entries(TEXTS)) {
  test(`kinds of others: ${name}`, (t) => {
    const read = readForeignKinds(text);
    const found = read.kind === 'ok' ? read.kinds : read.problems;
    t.is(found.length, want.length, JSON.stringify(found));
    for (const [index, one] of found.entries()) {
      const wanted = want[index];
      if (wanted instanceof RegExp) t.regex(typeof one === 'string' ? one : '', wanted);
      else t.deepEqual(one, wanted);
    }
  });
}

test('as many as may be are read', (t) => {
  const read = readForeignKinds(many(64));
  t.is(read.kind === 'ok' ? read.kinds.length : 0, 64);
});

test('groups that no CustomResourceDefinition can have are no group of others', (t) => {
  for (const group of ['', '*', 'apps', 'batch', 'policy', 'nexusos.dev', ...GROUPS_OF_KUBERNETES])
    t.false(isForeignGroup(group), group);
  for (const group of ['argoproj.io', 'notnexusos.dev', 'gateway.networking.k8s.io', 'kueue.x-k8s.io'])
    t.true(isForeignGroup(group), group);
});
