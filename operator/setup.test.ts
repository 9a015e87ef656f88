// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { readConfig } from './config.ts';
import { operatorUserOf } from './setup.ts';

const ACCOUNT = { NEXUSOS_NAMESPACE: 'platform', NEXUSOS_SERVICE_ACCOUNT: 'nexus' };

test('the operator is its ServiceAccount, and with a kubeconfig anybody', (t) => {
  t.is(operatorUserOf(readConfig(ACCOUNT, [])), 'system:serviceaccount:platform:nexus');
  t.is(operatorUserOf(readConfig({ ...ACCOUNT, NEXUSOS_KUBECONFIG: '/k' }, [])), undefined);
});
