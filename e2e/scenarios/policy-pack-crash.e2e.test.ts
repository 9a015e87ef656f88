// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart, PLATFORM_NAMESPACE } from '#hack/system/chart';
import { EndsAtWrites } from '../ends-at-writes.ts';
import { PlayedReplica } from '../policy-player.ts';
import { tenantManifest, User } from '../user.ts';

const NAMESPACE = 'packcrash-main';
const API = '/apis/nexusos.dev/v1alpha1';

let cluster: Cluster;
let ends: EndsAtWrites;
let replica: PlayedReplica;
test.before(async () => {
  cluster = await startCluster();
  await installChart(cluster);
  ends = await EndsAtWrites.open(cluster, 'packcrash');
  replica = new PlayedReplica(cluster, 'played');
  await replica.start();
});
test.after.always(async () => {
  await replica?.stop();
  await ends?.close();
  await cluster?.stop();
});

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
  const prepared = await ends.start();
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
  const made = await ends.until(async () => {
    const ready = await user.condition('Ready', '-n', NAMESPACE, 'policypack/reborn');
    return ready?.status === 'True';
  });
  const posts = made.filter(({ verb, status }) => verb === 'POST' && status === 201).map(({ path }) => path);
  t.is(posts.filter((path) => path.endsWith('/configmaps')).length, 2, 'module and data, each made once');
  t.is(posts.filter((path) => path.endsWith('/policypackrevisions')).length, 1);
  t.is((await revisions()).length, 1);
  t.is((await chunks()).length, 2);

  await user.does(['delete', 'policypack', 'reborn', '-n', NAMESPACE, '--wait=false']);
  const gone = await ends.until(async () => {
    const left = await user.sees('-n', NAMESPACE, 'policypack/reborn');
    return left === undefined && (await revisions()).length === 0;
  });
  t.true(gone.length >= 3, 'two parts and a finalizer');
  t.deepEqual(await chunks(), []);
});
