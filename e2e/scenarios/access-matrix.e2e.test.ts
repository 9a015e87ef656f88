// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { attachSystem } from '#hack/system/attach';
import { allowedIn, discover, type Served } from '../access.ts';
import { tenantManifest, User } from '../user.ts';

interface World {
  readonly cluster: AttachedCluster;
  readonly served: readonly Served[];
}

const test = anyTest as TestFn<World>;

const READ = 'get list watch';
const ALL = 'create delete deletecollection get list patch update watch';

/** What each role may do in a namespace of its tenant: all of it, and nothing else. */
const VIEWER: Readonly<Record<string, string>> = {
  configmaps: READ,
  endpoints: READ,
  events: READ,
  limitranges: READ,
  persistentvolumeclaims: READ,
  pods: READ,
  'pods/log': READ,
  podtemplates: READ,
  replicationcontrollers: READ,
  resourcequotas: READ,
  serviceaccounts: READ,
  services: READ,
  'apps/controllerrevisions': READ,
  'apps/daemonsets': READ,
  'apps/deployments': READ,
  'apps/replicasets': READ,
  'apps/statefulsets': READ,
  'autoscaling/horizontalpodautoscalers': READ,
  'batch/cronjobs': READ,
  'batch/jobs': READ,
  'discovery.k8s.io/endpointslices': READ,
  'events.k8s.io/events': READ,
  'networking.k8s.io/networkpolicies': READ,
  'nexusos.dev/agentrevisions': READ,
  'nexusos.dev/agents': READ,
  'nexusos.dev/imagepolicies': READ,
  'nexusos.dev/imageverdicts': READ,
  'nexusos.dev/policypackrevisions': READ,
  'nexusos.dev/policypacks': READ,
  'nexusos.dev/runs': READ,
  'policy/poddisruptionbudgets': READ,
};

const OPERATOR: Readonly<Record<string, string>> = {
  ...VIEWER,
  pods: 'delete get list watch',
  'pods/attach': 'create get',
  'pods/eviction': 'create',
  'pods/exec': 'create get',
  'pods/portforward': 'create get',
  'apps/daemonsets': 'get list patch update watch',
  'apps/deployments': 'get list patch update watch',
  'apps/deployments/scale': 'get patch update',
  'apps/replicasets/scale': 'get patch update',
  'apps/statefulsets': 'get list patch update watch',
  'apps/statefulsets/scale': 'get patch update',
  'nexusos.dev/runs': ALL,
};

const ADMIN: Readonly<Record<string, string>> = {
  ...OPERATOR,
  configmaps: ALL,
  persistentvolumeclaims: ALL,
  pods: ALL,
  'pods/ephemeralcontainers': 'get patch update',
  podtemplates: ALL,
  replicationcontrollers: ALL,
  'replicationcontrollers/scale': 'get patch update',
  secrets: ALL,
  serviceaccounts: ALL,
  'serviceaccounts/token': 'create',
  services: ALL,
  'apps/daemonsets': ALL,
  'apps/deployments': ALL,
  'apps/replicasets': ALL,
  'apps/statefulsets': ALL,
  'autoscaling/horizontalpodautoscalers': ALL,
  'batch/cronjobs': ALL,
  'batch/jobs': ALL,
  'networking.k8s.io/networkpolicies': ALL,
  'nexusos.dev/agents': ALL,
  'nexusos.dev/imagepolicies': ALL,
  'nexusos.dev/policypacks': ALL,
  'policy/poddisruptionbudgets': ALL,
  'rbac.authorization.k8s.io/rolebindings': ALL,
  'rbac.authorization.k8s.io/roles': ALL,
};

const ROLES = { admin: ADMIN, operator: OPERATOR, viewer: VIEWER } as const;

/** What Kubernetes lets everybody do who has signed in, and what NexusOS adds: which GPU classes there are. */
const EVERYWHERE: Readonly<Record<string, string>> = {
  'authentication.k8s.io/selfsubjectreviews': 'create',
  'authorization.k8s.io/selfsubjectaccessreviews': 'create',
  'authorization.k8s.io/selfsubjectrulesreviews': 'create',
  'nexusos.dev/gpuclasses': READ,
};

/** What every owner may read by name, and only of the own tenant. */
const BY_NAME: Readonly<Record<string, string>> = {
  'nexusos.dev/quotaledgers': READ,
  'nexusos.dev/tenants': READ,
  'nexusos.dev/usagerecords': READ,
};

test.before(async (t) => {
  const cluster = await attachSystem();
  const admin = new User(cluster);
  const owners = Object.keys(ROLES).map((role) => ({ kind: 'User', name: `mat-${role}`, role }));
  const namespaces = [{ suffix: 'main' }, { suffix: 'more' }];
  await admin.applies(tenantManifest('mat', { owners, namespaces }), tenantManifest('mat-b'));
  await admin.does(['wait', 'tenant/mat', 'tenant/mat-b', '--for=condition=Ready', '--timeout=120s']);
  t.context = { cluster, served: await discover(cluster) };
});

test('discovery tells of what the matrix is about', (t) => {
  const { served } = t.context;
  t.true(served.length > 90, `${served.length} resources and subresources`);
  const names = new Set(served.map(({ name }) => name));
  for (const name of [...Object.keys(ADMIN), ...Object.keys(EVERYWHERE), ...Object.keys(BY_NAME)]) {
    t.true(names.has(name), name);
  }
});

for (const [role, allowed] of Object.entries(ROLES)) {
  const user = `mat-${role}`;

  test(`${role}, own namespaces: exactly this`, async (t) => {
    const { cluster, served } = t.context;
    const namespaced = served.filter((one) => one.namespaced);
    for (const namespace of ['mat-main', 'mat-more']) {
      t.deepEqual(await allowedIn(cluster, namespaced, { user, namespace }), sorted(allowed));
    }
  });

  test(`${role}, a namespace of another tenant: nothing`, async (t) => {
    const { cluster, served } = t.context;
    const namespaced = served.filter((one) => one.namespaced);
    t.deepEqual(await allowedIn(cluster, namespaced, { user, namespace: 'mat-b-main' }), {});
  });

  test(`${role}, all namespaces and the cluster: nothing but what everybody may`, async (t) => {
    const { cluster, served } = t.context;
    t.deepEqual(await allowedIn(cluster, served, { user }), sorted(EVERYWHERE));
  });

  test(`${role}, objects of the cluster by name: the own and no others`, async (t) => {
    const { cluster, served } = t.context;
    const clusterWide = served.filter((one) => !one.namespaced);
    const own = await allowedIn(cluster, clusterWide, { user, name: 'mat' });
    t.deepEqual(own, sorted({ ...EVERYWHERE, ...BY_NAME }));
    const other = await allowedIn(cluster, clusterWide, { user, name: 'mat-b' });
    t.deepEqual(other, sorted(EVERYWHERE));
    const namespaces = clusterWide.filter(({ name }) => name.startsWith('namespaces'));
    t.deepEqual(await allowedIn(cluster, namespaces, { user, name: 'mat-main' }), { namespaces: READ });
    t.deepEqual(await allowedIn(cluster, namespaces, { user, name: 'mat-b-main' }), {});
  });
}

test('somebody without a tenant may do what everybody may, and not even list GPU classes', async (t) => {
  const { cluster, served } = t.context;
  const { 'nexusos.dev/gpuclasses': _classes, ...rest } = EVERYWHERE;
  t.deepEqual(await allowedIn(cluster, served, { user: 'mat-nobody' }), sorted(rest));
});

function sorted(record: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
