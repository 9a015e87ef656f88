// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart, PLATFORM_NAMESPACE } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { type CrashProxy, type SeenWrite, startCrashProxy } from '../crash-proxy.ts';
import { PlayedReplica } from '../policy-player.ts';
import { tenantManifest, User } from '../user.ts';

const NAMESPACE = 'packcrash-main';
const API = '/apis/nexusos.dev/v1alpha1';
/** A pack takes some ten writes until it decides; one that would not end is a fault. */
const MOST_ENDS = 40;

let cluster: Cluster;
let proxy: CrashProxy;
let replica: PlayedReplica;
test.before(async () => {
  cluster = await startCluster();
  await installChart(cluster);
  proxy = await startCrashProxy(cluster.url, Buffer.from(cluster.caData, 'base64').toString());
  replica = new PlayedReplica(cluster, 'played');
  await replica.start();
});
test.after.always(async () => {
  await replica?.stop();
  await proxy?.close();
  await cluster?.stop();
});

/** Always as the same replica, so that it takes its own lease up again at once. */
function start(): Promise<OperatorProcess> {
  return startOperator(cluster, { apiServer: proxy.url, env: { NEXUSOS_IDENTITY: 'packcrash' } });
}

/** Starts an operator and ends it with SIGKILL at its first write; false when `isOver` before it has written anything. */
async function isEndedAtNextWrite(ends: SeenWrite[], isOver: () => Promise<boolean>): Promise<boolean> {
  proxy.arm(async (write) => {
    ends.push(write);
    await (await starting).kill();
  });
  const starting = start();
  const operator = await starting;
  await eventually('it is ended, or all is over', async () => operator.hasEnded || (await isOver()));
  if (operator.hasEnded) return true;
  await operator.stop();
  return false;
}

async function endsUntil(isOver: () => Promise<boolean>): Promise<readonly SeenWrite[]> {
  const ends: SeenWrite[] = [];
  while (await isEndedAtNextWrite(ends, isOver)) {
    if (ends.length > MOST_ENDS) throw new Error(`still writing: ${JSON.stringify(ends.at(-1))}`);
  }
  return ends;
}

async function names(path: string): Promise<readonly string[]> {
  const { items } = (await cluster.admin.get(path)) as unknown as {
    readonly items: readonly { readonly metadata: { readonly name: string } }[];
  };
  return items.map(({ metadata }) => metadata.name);
}

const revisions = () => names(`${API}/namespaces/${NAMESPACE}/policypackrevisions`);
const chunks = () =>
  names(`/api/v1/namespaces/${PLATFORM_NAMESPACE}/configmaps?labelSelector=nexusos.dev%2Fpolicy-pack-uid`);

test('a pack survives SIGKILL of the operator at every write, from its manifest to where it decides, and when it goes', async (t) => {
  t.timeout(8 * 60_000);
  const user = new User(cluster);
  const prepared = await start();
  await user.applies(tenantManifest('packcrash'));
  await user.awaitsReady('tenant/packcrash');
  await prepared.stop();
  const modules = { 'a.rego': 'package a\ndeny contains "no" if input.review.name == data.name' };
  await user.applies({
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: { name: 'reborn', namespace: NAMESPACE },
    spec: {
      version: '1.0.0',
      source: { inline: { modules, data: { name: 'x' } } },
      rollout: { shadowSeconds: 0 },
    },
  });
  const made = await endsUntil(async () => {
    const ready = await user.condition('Ready', '-n', NAMESPACE, 'policypack/reborn');
    return ready?.status === 'True';
  });
  const posts = made.filter(({ verb, status }) => verb === 'POST' && status === 201).map(({ path }) => path);
  t.is(posts.filter((path) => path.endsWith('/configmaps')).length, 2, 'module and data, each made once');
  t.is(posts.filter((path) => path.endsWith('/policypackrevisions')).length, 1);
  t.is((await revisions()).length, 1);
  t.is((await chunks()).length, 2);

  await user.does(['delete', 'policypack', 'reborn', '-n', NAMESPACE, '--wait=false']);
  const gone = await endsUntil(async () => {
    const left = await user.sees('-n', NAMESPACE, 'policypack/reborn');
    return left === undefined && (await revisions()).length === 0;
  });
  t.true(gone.length >= 3, 'two parts and a finalizer');
  t.deepEqual(await chunks(), []);
});
