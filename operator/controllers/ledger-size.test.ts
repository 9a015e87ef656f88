// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { fullLedger } from '../core/quota/testing/full-ledger.ts';
import type { Ledger } from '../core/tenant/tenant.ts';
import { QUOTA_LEDGERS } from './shared/resources.ts';
import { startTenantRig } from './testing/tenant-rig.ts';

test('the API server and etcd take a ledger that is full to the last place', async (t) => {
  const rig = await startTenantRig();
  t.teardown(() => rig.close());
  const { status, ...rest } = fullLedger();
  const created = await rig.client.create(QUOTA_LEDGERS, rest, 'test');
  const written = (await rig.client.replaceStatus(QUOTA_LEDGERS, { ...created, status }, 'test')) as Ledger;
  t.deepEqual(written.status?.reservations?.length, status?.reservations?.length);
});
