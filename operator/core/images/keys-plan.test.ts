// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { planVerdictKeys } from './keys-plan.ts';

const NAMESPACE = 'nexusos-system';
const NOTHING = { platformNamespace: NAMESPACE, publicKey: undefined, fresh: undefined };

test('without a key, and without anybody who asks for one, nothing is made', (t) => {
  t.deepEqual(planVerdictKeys(NOTHING).apply, []);
});

test('a new key is kept before its other half is published', (t) => {
  const { apply } = planVerdictKeys({ ...NOTHING, fresh: 'PRIVATE' });
  t.is(apply.length, 1);
  t.like(apply[0], {
    kind: 'Secret',
    metadata: { namespace: NAMESPACE, name: 'nexusos-verdict-signing' },
    type: 'Opaque',
    data: { 'signing.key': Buffer.from('PRIVATE').toString('base64') },
  });
});

test('what is published is the public half alone, and the same each time', (t) => {
  const seen = { ...NOTHING, publicKey: 'PUBLIC' };
  const plan = planVerdictKeys(seen);
  t.is(plan.apply.length, 1);
  t.like(plan.apply[0], {
    kind: 'ConfigMap',
    metadata: { namespace: NAMESPACE, name: 'nexusos-verdict-keys' },
    data: { 'verdict.pub': 'PUBLIC' },
  });
  t.deepEqual(planVerdictKeys(seen), plan);
  t.like(plan, { create: [], remove: [], events: [], result: { kind: 'done' } });
});

test('where the Secret was deleted, a new key takes its place, and the old half stays until that is kept', (t) => {
  t.is(planVerdictKeys({ ...NOTHING, publicKey: 'OLD' }).apply[0]?.kind, 'ConfigMap');
  t.deepEqual(
    planVerdictKeys({ ...NOTHING, fresh: 'NEW' }).apply.map(({ kind }) => kind),
    ['Secret'],
  );
  t.like(planVerdictKeys({ ...NOTHING, publicKey: 'NEW' }).apply[0], { data: { 'verdict.pub': 'NEW' } });
});
