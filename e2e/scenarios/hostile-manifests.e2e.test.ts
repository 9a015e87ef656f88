// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { startCluster } from '#hack/cluster/cluster';
import { attachSystem } from '#hack/system/attach';
import { installChart } from '#hack/system/chart';
import { startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { hostileManifests } from '../hostile-manifests.ts';
import { type RawAnswer, type RawSender, rawSender } from '../raw-sender.ts';

const API = '/apis/nexusos.dev/v1alpha1';

/** The one refusal for which the API server itself answers 500. */
const RIGHTLY_500 = 'resourceVersion should not be set on objects to be created';

interface Tried {
  readonly title: string;
  readonly path: string;
  readonly answer: RawAnswer;
}

test('hostile manifests are refused with a reason or do no harm', async (t) => {
  t.timeout(5 * 60_000);
  // Of its own: manifests of any name are taken, and namespaces of all others must stay as they are.
  await using cluster = await startCluster();
  await installChart(cluster);
  const operator = await startOperator(cluster);
  t.teardown(() => operator.stop());
  await makeTenant(cluster, 'victim');
  const before = await foreignNamespaces(cluster);
  const sender = rawSender(cluster, await administratorToken(cluster));

  const tried = await tryAll(sender, 'victim-main');
  await sender.close();

  const refused = tried.filter(({ answer }) => answer.status >= 400);
  const failed = refused.filter(({ answer }) => answer.status >= 500 && answer.message !== RIGHTLY_500);
  const accepted = tried.filter(({ answer }) => answer.status < 300);
  t.log(`${tried.length} tried, ${refused.length} refused, ${accepted.length} taken`);
  t.true(tried.length >= 500);
  t.true(refused.length > accepted.length);
  t.deepEqual(titles(failed), [], 'the API server failed');
  t.deepEqual(
    titles(refused.filter(({ answer }) => answer.message.length < 10)),
    [],
    'refused without a reason',
  );

  await everyTenantSettles(t, cluster);
  await makeTenant(cluster, 'bystander');
  t.deepEqual(await foreignNamespaces(cluster), before, 'namespaces of others were touched');
  t.false(operator.hasEnded, operator.log.tail());
  t.true(await operator.isReady());
});

test('of tenants a and a-b that want the same namespace, one has it and the other says so', async (t) => {
  t.timeout(2 * 60_000);
  const cluster = await attachSystem();
  await makeTenant(cluster, 'a', 'b-c');
  await createTenant(cluster, 'a-b', 'c');
  await eventually('a-b says that the namespace is taken', async () => {
    const ready = await readyCondition(cluster, 'a-b');
    return ready?.status === 'False' && ready.reason === 'NamespaceConflict';
  });
  const message = (await readyCondition(cluster, 'a-b'))?.message ?? '';
  t.regex(message, /a-b-c/, 'names the namespace');
  t.regex(message, /\ba\b/, 'names the holder');
  const namespace = (await cluster.admin.get('/api/v1/namespaces/a-b-c')) as {
    readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  };
  t.is(namespace.metadata.labels['nexusos.dev/tenant'], 'a');
});

function titles(tried: readonly Tried[]): readonly string[] {
  return tried.map(({ title, answer }) => `${title}: ${answer.status} ${answer.message.slice(0, 200)}`);
}

async function tryAll(sender: RawSender, namespace: string): Promise<readonly Tried[]> {
  const tried: Tried[] = [];
  for (const { title, path, body } of hostileManifests(namespace)) {
    tried.push({ title, path, answer: await sender.post(path, body) });
  }
  return tried;
}

/** Accepted ones too end in a state that says what is the matter, or in none at all. */
async function everyTenantSettles(t: ExecutionContext, cluster: AttachedCluster): Promise<void> {
  await eventually('every tenant has a verdict on its present spec', async () => {
    const { items } = (await cluster.admin.get(`${API}/tenants`)) as {
      readonly items: readonly TenantObject[];
    };
    const open = items.filter(({ metadata, status }) => {
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      return ready?.observedGeneration !== metadata.generation || ready.message === '';
    });
    return open.length === 0;
  });
  t.pass();
}

interface TenantObject {
  readonly metadata: { readonly generation: number; readonly name: string };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
      readonly observedGeneration: number;
    }[];
  };
}

async function readyCondition(cluster: AttachedCluster, name: string) {
  const tenant = (await cluster.admin.get(`${API}/tenants/${name}`)) as TenantObject | undefined;
  return tenant?.status?.conditions?.find(({ type }) => type === 'Ready');
}

/** Labels and annotations of every namespace that belongs to no tenant. */
async function foreignNamespaces(cluster: AttachedCluster): Promise<unknown> {
  const { items } = (await cluster.admin.get('/api/v1/namespaces')) as {
    readonly items: readonly {
      readonly metadata: {
        readonly name: string;
        readonly labels?: Readonly<Record<string, string>>;
        readonly annotations?: unknown;
      };
    }[];
  };
  return items
    .filter(({ metadata }) => metadata.labels?.['nexusos.dev/tenant'] === undefined)
    .map(({ metadata: { name, labels, annotations } }) => ({ name, labels, annotations }));
}

async function administratorToken(cluster: AttachedCluster): Promise<string> {
  const metadata = { name: 'hostile-sender', namespace: 'default' };
  await cluster.admin.create('/api/v1/namespaces/default/serviceaccounts', {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata,
  });
  await cluster.admin.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: metadata.name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', ...metadata }],
  });
  return cluster.serviceAccountToken(metadata.namespace, metadata.name);
}

async function makeTenant(cluster: AttachedCluster, name: string, suffix = 'main'): Promise<void> {
  await createTenant(cluster, name, suffix);
  await eventually(`${name} is Ready`, async () => (await readyCondition(cluster, name))?.status === 'True');
}

async function createTenant(cluster: AttachedCluster, name: string, suffix: string): Promise<void> {
  await cluster.admin.create(`${API}/tenants`, {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Tenant',
    metadata: { name },
    spec: { namespaces: [{ suffix }], owners: [{ kind: 'User', name: 'ann', role: 'admin' }] },
  });
}
