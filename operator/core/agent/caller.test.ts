// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ReconcileError } from '../errors.ts';
import { makeAgent, makeTenant, NOW } from '../run/testing/make.ts';
import { type CallerObserved, missingCaller, NO_CALLER, unwantedCaller } from './caller.ts';
import { planRefused } from './plan.ts';

const CALLS = { agents: ['worker'], maxDepth: 1, maxChildren: 1, maxTotal: 1 };
const tenant = makeTenant();

/** What is there when everything was made. */
function made(): CallerObserved {
  const [serviceAccount, roleBinding] = missingCaller(makeAgent({ calls: CALLS }), {
    tenant,
    caller: NO_CALLER,
  });
  return { serviceAccount, roleBinding };
}

test('an Agent whose Runs may call others has an account, with a role in its namespace alone', (t) => {
  const { serviceAccount, roleBinding } = made();
  t.like(serviceAccount, { kind: 'ServiceAccount', automountServiceAccountToken: false });
  t.like(roleBinding, {
    kind: 'RoleBinding',
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'nexusos:run-caller' },
  });
  t.deepEqual(roleBinding?.['subjects'], [
    { kind: 'ServiceAccount', name: 'nexusos-call-agent', namespace: 'acme-dev' },
  ]);
  for (const one of [serviceAccount, roleBinding]) {
    t.like(one?.metadata, { name: 'nexusos-call-agent', namespace: 'acme-dev' });
    t.is(one?.metadata.ownerReferences?.[0]?.uid, 'agent-uid', 'it goes with the Agent');
  }
});

test('what is there is not made again, and what is not wanted is not made', (t) => {
  const agent = makeAgent({ calls: CALLS });
  t.deepEqual(missingCaller(agent, { tenant, caller: made() }), []);
  t.deepEqual(missingCaller(agent, { tenant: undefined, caller: NO_CALLER }), []);
  t.deepEqual(missingCaller(makeAgent(), { tenant, caller: NO_CALLER }), []);
  const gone = { ...agent, metadata: { ...agent.metadata, deletionTimestamp: '2026-11-22T00:00:00Z' } };
  t.deepEqual(missingCaller(gone, { tenant, caller: NO_CALLER }), []);
});

test('an Agent that calls nobody any more gives its account back, the rights first, and nothing of anybody else', (t) => {
  const { serviceAccount, roleBinding } = made();
  const withUid = (one: typeof serviceAccount) =>
    one && { ...one, metadata: { ...one.metadata, uid: `${one.kind}-uid` } };
  const caller = { serviceAccount: withUid(serviceAccount), roleBinding: withUid(roleBinding) };
  t.deepEqual(
    unwantedCaller(makeAgent(), caller).map(({ ref }) => ref.uid),
    ['RoleBinding-uid', 'ServiceAccount-uid'],
  );
  t.deepEqual(unwantedCaller(makeAgent({ calls: CALLS }), caller), []);
  const other = { ...makeAgent(), metadata: { ...makeAgent().metadata, uid: 'another-uid' } };
  t.deepEqual(unwantedCaller(other, caller), []);
});

test('an Agent whose account is refused says so', (t) => {
  const agent = makeAgent({ calls: CALLS });
  const pending = {
    type: 'Ready',
    status: 'False',
    reason: 'CallerPending',
    message: '',
    observedGeneration: 1,
    lastTransitionTime: NOW.toISOString(),
  } as const;
  const waiting = { ...agent, status: { ...agent.status, conditions: [pending] } };
  const plan = planRefused(
    waiting,
    new ReconcileError('conflict', 'ServiceAccount acme-dev/nexusos-call-agent exists'),
    NOW,
  );
  t.like(
    plan?.status.conditions?.find(({ type }) => type === 'Ready'),
    { reason: 'CallerRefused', status: 'False' },
  );
});
