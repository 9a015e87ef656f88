// SPDX-License-Identifier: Apache-2.0
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { attachCluster } from '../cluster/attach.ts';
import type { AttachedCluster } from '../cluster/attached-cluster.ts';
import { eventually } from '../tools/eventually.ts';
import { PLATFORM_NAMESPACE } from './chart.ts';
import { startOperator } from './operator-process.ts';
import { keepTokenFile } from './service-account-token.ts';

// None that becomes ready, where others work: it would lead, and work on what their tests make. That it does its work with the
// rights of the chart, and ends in order, is seen in e2e/scenarios/chart-lifecycle.
let cluster: AttachedCluster;
test.before(async () => {
  cluster = await attachCluster();
});

test('settings that are wrong are told, and nothing is left running', async (t) => {
  const error = await t.throwsAsync(() => startOperator(cluster, { env: { NEXUSOS_CONCURRENCY: '0' } }));
  t.regex(error.message, /ended with 2/);
  t.regex(error.message, /NEXUSOS_CONCURRENCY: found "0"; allowed is an integer from 1 to 256/);
});

test('an operator that cannot reach the API server is not waited for for ever', async (t) => {
  const error = await t.throwsAsync(() =>
    startOperator(cluster, { apiServer: 'https://127.0.0.1:9', readyTimeoutMs: 3000 }),
  );
  t.regex(error.message, /was not ready after 3 s/);
});

test('a token is replaced before it runs out', async (t) => {
  const path = join(cluster.description.dataDir, 'short-lived-token');
  const token = await keepTokenFile(cluster, {
    namespace: PLATFORM_NAMESPACE,
    serviceAccount: 'nexusos-operator',
    path,
    replaceAfterMs: 200,
  });
  t.teardown(() => token.stop());
  const first = await readFile(path, 'utf8');
  t.is((await stat(path)).mode & 0o077, 0, 'nobody else may read it');
  await eventually('another token', async () => (await readFile(path, 'utf8')) !== first);
});
