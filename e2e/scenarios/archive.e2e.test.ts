// SPDX-License-Identifier: Apache-2.0
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { agent, FOREVER, run } from '../run-world.ts';
import { tenantManifest, User } from '../user.ts';

/** What the archive has, by the uid of each Run. */
const RECORDS = new Map<string, { readonly status: { readonly phase: string } }>();
const NAMESPACE = 'archivist-main';

let cluster: Cluster;
let user: User;
let server: Server;
let operator: OperatorProcess;
let isAway = true;
let requests = 0;

interface Found {
  readonly metadata: { readonly uid: string };
  readonly status?: { readonly phase?: string };
}

test.before(async () => {
  cluster = await startCluster();
  await installChart(cluster);
  user = new User(cluster);
  server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      requests += 1;
      if (!isAway) keep(Buffer.concat(chunks).toString());
      outgoing.writeHead(isAway ? 503 : 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  operator = await start();
  await user.applies(tenantManifest('archivist', { runHistory: { limit: 0 } }));
  await user.awaitsReady('tenant/archivist');
  await user.applies(agent(NAMESPACE));
  await user.awaitsReady('-n', NAMESPACE, 'agent/worker');
});
test.after.always(async () => {
  await operator?.stop();
  server?.close();
  await cluster?.stop();
});

function keep(text: string): void {
  for (const line of text.trim().split('\n')) {
    const record = JSON.parse(line) as Found & { readonly status: { readonly phase: string } };
    RECORDS.set(record.metadata.uid, record);
  }
}

function start(): Promise<OperatorProcess> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return startOperator(cluster, {
    env: { NEXUSOS_ARCHIVE_URL: url, NEXUSOS_LEASE_DURATION_MS: '2000' },
  });
}

async function uids(): Promise<readonly string[]> {
  const found = await user.sees<{ readonly items: readonly Found[] }>('runs', '-n', NAMESPACE);
  return (found?.items ?? []).map(({ metadata }) => metadata.uid);
}

test.serial(
  'finished Runs go when the archive has them, and not before, also when the operator is killed',
  async (t) => {
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) await user.applies(run(NAMESPACE, name));
    await eventually('all have succeeded', async () => {
      const found = await user.sees<{ readonly items: readonly Found[] }>('runs', '-n', NAMESPACE);
      return found?.items.every(({ status }) => status?.phase === 'Succeeded') === true;
    });
    const before = await uids();
    t.is(before.length, names.length);
    await eventually('the archive was asked, which is away', async () => requests >= 2);
    t.deepEqual((await uids()).toSorted(), before.toSorted());
    await operator.kill();
    isAway = false;
    operator = await start();
    await eventually('all have gone', async () => (await uids()).length === 0);
    t.deepEqual([...RECORDS.keys()].toSorted(), before.toSorted());
    t.true([...RECORDS.values()].every(({ status }) => status.phase === 'Succeeded'));
    t.regex(await operator.metrics(), /nexusos_archived_total\{outcome="taken"\} 4/);
  },
);

test.serial('Runs that another one has called are on record before that takes them with it', async (t) => {
  const namespace = 'archivist-tree-main';
  await user.applies(tenantManifest('archivist-tree'));
  await user.awaitsReady('tenant/archivist-tree');
  const lead = agent(namespace, { calls: { agents: ['worker'] }, history: { failedRunsLimit: 0 } });
  await user.applies(agent(namespace), { ...lead, metadata: { name: 'lead', namespace } });
  await user.awaitsReady('-n', namespace, 'agent/lead');
  await user.applies(run(namespace, 'above', { ...FOREVER, spec: { agentRef: { name: 'lead' } } }));
  const see = (name: string) => user.sees<Found>('-n', namespace, `run/${name}`);
  const above = await eventually('the one above runs', async () => {
    const found = await see('above');
    return found?.status?.phase === 'Running' ? found.metadata.uid : undefined;
  });
  const parentRef = { name: 'above', uid: above };
  const owner = { apiVersion: 'nexusos.dev/v1alpha1', kind: 'Run', ...parentRef };
  const called = run(namespace, 'below', { spec: { parentRef } });
  await user.applies({ ...called, metadata: { ...called.metadata, ownerReferences: [owner] } });
  const below = await eventually('the one below has succeeded', async () => {
    const found = await see('below');
    return found?.status?.phase === 'Succeeded' ? found.metadata.uid : undefined;
  });
  const cancel = JSON.stringify({ spec: { cancel: true } });
  await user.does(['patch', 'run/above', '-n', namespace, '--type=merge', '-p', cancel]);
  await eventually('both have gone', async () => {
    return (await see('above')) === undefined && (await see('below')) === undefined;
  });
  t.is(RECORDS.get(below)?.status.phase, 'Succeeded');
  t.is(RECORDS.get(above)?.status.phase, 'Cancelled');
  const [first] = [...RECORDS.keys()].filter((uid) => uid === above || uid === below);
  t.is(first, below);
  t.regex(await operator.metrics(), /nexusos_run_children_total\{tenant="archivist-tree"\} 1/);
});
