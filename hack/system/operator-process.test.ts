// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { type Cluster, startCluster } from '../cluster/cluster.ts';
import { eventually } from '../tools/eventually.ts';
import { installChart, PLATFORM_NAMESPACE } from './chart.ts';
import { type OperatorProcess, startOperator } from './operator-process.ts';
import { keepTokenFile } from './service-account-token.ts';

// A cluster of its own: an operator on the shared one would work on what other tests make there.
let cluster: Cluster;
test.before(async () => {
  cluster = await startCluster({ kwok: false });
  await installChart(cluster);
});
test.after.always(() => cluster?.stop());

test.serial('it works with the rights of the chart and no others, and ends in order', async (t) => {
  const operator = await startOperator(cluster);
  const lease = `/apis/coordination.k8s.io/v1/namespaces/${PLATFORM_NAMESPACE}/leases/nexusos-operator`;
  await eventually('it leads', async () => /^nexusos_leader 1$/m.test(await operator.metrics()));
  t.truthy(await cluster.admin.get(lease));

  const stdin = JSON.stringify({
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Tenant',
    metadata: { name: 'chart-rights' },
    spec: { owners: [{ kind: 'User', name: 'ann', role: 'admin' }], namespaces: [{ suffix: 'a' }] },
  });
  t.is((await cluster.kubectl(['apply', '-f', '-'], { stdin })).code, 0);
  const waited = await cluster.kubectl([
    'wait',
    'tenant/chart-rights',
    '--for=condition=Ready',
    '--timeout=120s',
  ]);
  t.is(waited.code, 0, `${waited.stderr}\n${operator.log.tail()}`);
  t.deepEqual(operator.log.errors, []);

  await operator.stop();
  t.is(await operator.ended(), 0, operator.log.tail());
});

test.serial('settings that are wrong are told, and nothing is left running', async (t) => {
  const error = await t.throwsAsync(() => startOperator(cluster, { env: { NEXUSOS_CONCURRENCY: '0' } }));
  t.regex(error.message, /ended with 2/);
  t.regex(error.message, /NEXUSOS_CONCURRENCY: found "0"; allowed is an integer from 1 to 256/);
});

test.serial('an operator that cannot reach the API server is not waited for for ever', async (t) => {
  const error = await t.throwsAsync(() =>
    startOperator(cluster, { apiServer: 'https://127.0.0.1:9', readyTimeoutMs: 3000 }),
  );
  t.regex(error.message, /was not ready after 3 s/);
});

test.serial(
  'it is ready within fifty times what an empty program takes: two seconds on a quiet machine',
  async (t) => {
    const emptyMs: number[] = [];
    const operatorMs: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const startedAt = performance.now();
      execFileSync(process.execPath, ['-e', '0']);
      emptyMs.push(performance.now() - startedAt);
      const operator = await startOperator(cluster);
      operatorMs.push(await eventually('it tells how long it took', () => readyAfterMs(operator)));
      await operator.stop();
    }
    // The best of each: what else the machine does only adds to them.
    const [empty, ready] = [Math.min(...emptyMs), Math.min(...operatorMs)];
    t.log(`ready after ${ready} ms; an empty program takes ${Math.round(empty)} ms`);
    t.true(ready < 50 * empty, `${ready} ms`);
  },
);

function readyAfterMs({ log }: OperatorProcess): number | undefined {
  const found = /"afterMs":(\d+),"msg":"ready"/.exec(log.tail());
  return found === null ? undefined : Number(found[1]);
}

test.serial('a token is replaced before it runs out', async (t) => {
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
