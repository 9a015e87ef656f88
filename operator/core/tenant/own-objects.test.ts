// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { findCondition } from '../conditions.ts';
import type { KubeObject } from '../object.ts';
import { ownObjects, tooSmallQuotas } from './own-objects.ts';
import { makeNamespace, makeTenant, type SpecInput } from './testing/objects.ts';
import type { Held } from './namespaces.ts';
import { FULL, ready, settle } from './testing/settle.ts';

const POLICIES = 'count/networkpolicies.networking.k8s.io';
const BINDINGS = 'count/rolebindings.rbac.authorization.k8s.io';

function hold(name: string): Held {
  return { kind: 'hold', name, live: makeNamespace(name), adopted: false, unconfirmed: false };
}

const CLAIMS = [hold('acme-dev'), hold('acme-prod')];

const CASES: Readonly<Record<string, { readonly objects: Record<string, string>; readonly want: object[] }>> =
  {
    'none of the border': {
      objects: { [POLICIES]: '0' },
      want: [{ key: POLICIES, found: '0', least: '2' }],
    },
    'a RoleBinding too few for the roles that have owners': {
      objects: { [BINDINGS]: '3' },
      want: [{ key: BINDINGS, found: '3', least: '4' }],
    },
    'just enough': { objects: { [BINDINGS]: '4', [POLICIES]: '2', configmaps: '4' }, want: [] },
    'none of what only tenants make': { objects: { pods: '0', 'count/deployments.apps': '0' }, want: [] },
  };

for (const [title, { objects, want }] of Object.entries(CASES)) {
  test(`quotas with ${title}`, (t) => {
    t.deepEqual(tooSmallQuotas(makeTenant({ ...FULL, quotas: { objects } }).spec, CLAIMS), want as never);
  });
}

const KEYS: Readonly<Record<string, (object: KubeObject) => boolean>> = {
  [POLICIES]: ({ kind }) => kind === 'NetworkPolicy',
  [BINDINGS]: ({ kind }) => kind === 'RoleBinding',
  'count/limitranges': ({ kind }) => kind === 'LimitRange',
};

for (const [key, isCounted] of Object.entries(KEYS)) {
  test(`what is counted under ${key} is what is made`, (t) => {
    const { observed, tenant } = settle(FULL);
    const made = observed.objects.filter((one) => isCounted(one) && one.metadata.namespace === 'acme-dev');
    t.is(Number(ownObjects(tenant.spec).get(key)) / 1000, made.length);
  });
}

test('a total that is too small is enforced as what is made, and told; Ready is not held up', (t) => {
  const spec: SpecInput = { ...FULL, quotas: { objects: { [POLICIES]: '1', pods: '3' } } };
  const { observed, last } = settle(spec);
  t.deepEqual(observed.ledger?.spec.hard, { [POLICIES]: '2', pods: '3' });
  t.is(findCondition(last.status.conditions ?? [], 'QuotaEnforced')?.reason, 'QuotaTooSmall');
  t.is(ready(last.status)?.status, 'True');
});
