// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { replicaName } from './replica-name.ts';

test('a name that objects can have, of a pod or of any machine', (t) => {
  t.is(replicaName('nexusos-webhooks-7f-x2'), 'nexusos-webhooks-7f-x2');
  t.is(replicaName('My_Host.local-1a'), 'nexusos-webhooks-my-host-local-1a');
  t.is(replicaName('__'), 'nexusos-webhooks');
  t.is(replicaName(`${'a'.repeat(45)}-b`).length, 62);
});
