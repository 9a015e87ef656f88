// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { attachCluster } from '#hack/cluster/attach';
import { isForeignGroup } from './core/policy/foreign-kinds.ts';
import { POLICY_RESOURCES } from './policy-resources.ts';

test('no group that an API server serves itself is one of others', async (t) => {
  const { admin } = await attachCluster();
  // Those of CustomResourceDefinitions come later than it, and are labelled otherwise.
  const own = 'labelSelector=kube-aggregator.kubernetes.io%2Fautomanaged%3Donstart';
  const { status, text } = await admin.send('GET', `/apis/apiregistration.k8s.io/v1/apiservices?${own}`);
  t.is(status, 200, text);
  const { items } = JSON.parse(text) as { readonly items: readonly { spec: { group?: string } }[] };
  const groups = [...new Set(items.map(({ spec }) => spec.group ?? ''))];
  t.true(groups.includes('coordination.k8s.io') && groups.includes('apps'), groups.join(' '));
  t.deepEqual(groups.filter(isForeignGroup), []);
});

test('what is wrong with a setting is told entry by entry', (t) => {
  const text = 'argoproj.io/v1/rollouts=Rollout,apps/v1/deployments=Deployment,nexusos.dev/v1alpha1/runs=Run';
  t.is(POLICY_RESOURCES.parse(text), undefined);
  t.deepEqual(
    POLICY_RESOURCES.explain(text).map((one) => one.split(';')[0]),
    ['found "apps/v1/deployments=Deployment"', 'found group nexusos.dev'],
  );
  t.deepEqual(POLICY_RESOURCES.explain('a.io/v1/bs=B'), []);
});
