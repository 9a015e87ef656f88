// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { attachChart } from '#hack/system/attach';
import { fullLedger } from '../core/quota/testing/full-ledger.ts';
import type { Ledger } from '../core/tenant/tenant.ts';
import { createClient } from '../runtime/client.ts';
import { certificateCredentials } from '../runtime/testing/certificate-credentials.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { QUOTA_LEDGERS } from '../core/resources.ts';

test('the API server and etcd take a ledger that is full to the last place', async (t) => {
  const { kubeconfigPath: path } = await attachChart();
  const client = createClient({
    credentials: await certificateCredentials(path),
    metrics: createMetrics(),
  });
  t.teardown(() => client.close());
  const { status, ...rest } = fullLedger();
  const created = await client.create(QUOTA_LEDGERS, rest, 'test');
  t.teardown(() => client.delete(QUOTA_LEDGERS, { name: created.metadata.name }));
  const written = (await client.replaceStatus(QUOTA_LEDGERS, { ...created, status }, 'test')) as Ledger;
  t.deepEqual(written.status?.reservations?.length, status?.reservations?.length);
});
