// SPDX-License-Identifier: Apache-2.0
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { attachSystem } from '#hack/system/attach';
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { discover, isAllowed, type Served, VERBS } from '../access.ts';
import { type ApiUser, apiUser } from '../api-user.ts';
import { eventually } from '#hack/tools/eventually';
import { container, type Fields, networkPolicy, pod, roleBinding, service } from '../guardrail-objects.ts';
import { tenantManifest, User } from '../user.ts';

interface World {
  readonly cluster: AttachedCluster;
  readonly served: readonly Served[];
  readonly admin: User;
  readonly owner: ApiUser;
}

/** The benchmarks of kubernetes-sigs/multi-tenancy, with all eight verbs of RBAC where theirs try two. */
const test = anyTest as TestFn<World>;
const USER = 'mtb-admin';
const NAMESPACE = 'mtb-main';

const QUOTAS = {
  compute: { 'requests.cpu': '4', 'requests.memory': '8Gi', 'requests.ephemeral-storage': '20Gi' },
  objects: {
    pods: 20,
    services: 10,
    replicationcontrollers: 5,
    resourcequotas: 2,
    secrets: 20,
    configmaps: 20,
    persistentvolumeclaims: 5,
    'services.nodeports': 0,
    'services.loadbalancers': 0,
  },
};

test.before(async (t) => {
  const cluster = await attachSystem();
  const admin = new User(cluster);
  await admin.applies(tenantManifest('mtb', { quotas: QUOTAS }), tenantManifest('mtb-other'));
  await admin.does(['wait', 'tenant/mtb', 'tenant/mtb-other', '--for=condition=Ready', '--timeout=120s']);
  const owner = await apiUser(cluster, { user: USER });
  t.context = { cluster, admin, owner, served: await discover(cluster) };
});
test.after.always((t) => t.context.owner?.close());

/** What everybody who has signed in may do in the cluster, and nobody can take away. */
const HARMLESS = new Set([
  'authentication.k8s.io/selfsubjectreviews create',
  'authorization.k8s.io/selfsubjectaccessreviews create',
  'authorization.k8s.io/selfsubjectrulesreviews create',
  'nexusos.dev/gpuclasses get',
  'nexusos.dev/gpuclasses list',
  'nexusos.dev/gpuclasses watch',
]);

async function allowed(
  { cluster }: World,
  served: readonly Served[],
  place: { readonly user: string; readonly namespace?: string },
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const on of served) {
    const answers = await Promise.all(VERBS.map((verb) => isAllowed(cluster, { ...place, verb, on })));
    found.push(...VERBS.filter((_, i) => answers[i]).map((verb) => `${on.name} ${verb}`));
  }
  return found;
}

async function dryRun({ owner }: World, manifest: Fields): Promise<number> {
  const version = String(manifest['apiVersion']);
  const root = version.includes('/') ? `/apis/${version}` : `/api/${version}`;
  const plural = `${String(manifest['kind']).toLowerCase()}s`.replace('policys', 'policies');
  const answer = await owner.send('POST', `${root}/namespaces/${NAMESPACE}/${plural}?dryRun=All`, manifest);
  return answer.status;
}

const RESOURCES = { requests: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '1Gi' } };

function podWith(context: Fields, fields: Fields = {}): Fields {
  const { securityContext } = container() as { securityContext: Fields };
  const changed = { resources: RESOURCES, securityContext: { ...securityContext, ...context }, ...fields };
  return pod({ containers: [container(changed)] });
}

const MANIFESTS: Readonly<Record<string, readonly Fields[]>> = {
  'CPI-3 block add capabilities': [podWith({ capabilities: { add: ['SYS_ADMIN'] } })],
  'CPI-4 require run as non-root user': [podWith({ runAsNonRoot: false })],
  'CPI-5 block privileged containers': [podWith({ privileged: true, allowPrivilegeEscalation: true })],
  'CPI-6 block privilege escalation': [podWith({ allowPrivilegeEscalation: true })],
  'HI-1 block use of host path': [
    {
      ...pod({
        volumes: [{ name: 'v', hostPath: { path: '/etc' } }],
        containers: [container({ resources: RESOURCES })],
      }),
    },
  ],
  'HI-1 block use of NodePort services': [service({ type: 'NodePort' })],
  'HI-3 block use of host networking and ports': [
    pod({ hostNetwork: true, containers: [container({ resources: RESOURCES })] }),
    podWith({}, { ports: [{ containerPort: 80, hostPort: 80 }] }),
  ],
  'HI-4 block use of host PID': [pod({ hostPID: true, containers: [container({ resources: RESOURCES })] })],
  'HI-5 block use of host IPC': [pod({ hostIPC: true, containers: [container({ resources: RESOURCES })] })],
  'DI-1 require always pull image': [podWith({}, { imagePullPolicy: 'IfNotPresent' })],
};

for (const [title, manifests] of Object.entries(MANIFESTS)) {
  test(`MTB ${title}`, async (t) => {
    for (const manifest of manifests) t.is(await dryRun(t.context, manifest), 403);
    t.is(await dryRun(t.context, podWith({})), 201, 'a pod that does no such thing is accepted');
  });
}

test('MTB CPI-1 block access to cluster resources', async (t) => {
  const clusterWide = t.context.served.filter((one) => !one.namespaced);
  t.true(clusterWide.length > 30);
  const found = await allowed(t.context, clusterWide, { user: USER });
  t.deepEqual(
    found.filter((one) => !HARMLESS.has(one)),
    [],
  );
});

test('MTB CPI-2 block modification of resources that the platform manages', async (t) => {
  const { owner } = t.context;
  const paths = [
    '/api/v1/namespaces/mtb-main/configmaps/nexusos-guardrails',
    '/api/v1/namespaces/mtb-main/resourcequotas/nexusos',
    '/apis/networking.k8s.io/v1/namespaces/mtb-main/networkpolicies/nexusos',
    '/apis/rbac.authorization.k8s.io/v1/namespaces/mtb-main/rolebindings/nexusos-admin',
  ];
  for (const path of paths) {
    t.is((await owner.send('GET', path)).status, 200, path);
    t.is((await owner.send('DELETE', `${path}?dryRun=All`)).status, 403, path);
  }
});

function served(t: ExecutionContext<World>, ...names: readonly string[]): readonly Served[] {
  const found = t.context.served.filter(({ name }) => names.includes(name));
  t.is(found.length, names.length);
  return found;
}

test('MTB TI-1 block modification of resource quotas', async (t) => {
  const found = await allowed(t.context, served(t, 'resourcequotas'), { user: USER, namespace: NAMESPACE });
  t.deepEqual(found, ['resourcequotas get', 'resourcequotas list', 'resourcequotas watch']);
});

test('MTB TI-2 block access to resources of other tenants, both ways', async (t) => {
  const namespaced = t.context.served.filter((one) => one.namespaced);
  t.deepEqual(await allowed(t.context, namespaced, { user: USER, namespace: 'mtb-other-main' }), []);
  t.deepEqual(await allowed(t.context, namespaced, { user: 'mtb-other-admin', namespace: NAMESPACE }), []);
});

async function hardOf({ admin }: World): Promise<Readonly<Record<string, string>>> {
  const quota = await admin.sees<{ status?: { hard?: Record<string, string> } }>(
    '-n',
    NAMESPACE,
    'resourcequota/nexusos',
  );
  return quota?.status?.hard ?? {};
}

test('MTB FNS-1 and FNS-2 quotas of compute and of objects are in force in the namespace', async (t) => {
  const wanted = [...Object.keys(QUOTAS.compute), ...Object.keys(QUOTAS.objects)].toSorted();
  await eventually('every quota is in force', async () => {
    const hard = Object.keys(await hardOf(t.context)).toSorted();
    return wanted.every((key) => hard.includes(key));
  });
  t.pass();
});

test('MTB OPS-3 a tenant can make roles and bind them', async (t) => {
  const names = ['rbac.authorization.k8s.io/rolebindings', 'rbac.authorization.k8s.io/roles'];
  const found = await allowed(t.context, served(t, ...names), { user: USER, namespace: NAMESPACE });
  t.is(found.length, names.length * VERBS.length);
  const roleRef = { kind: 'ClusterRole', name: 'nexusos:tenant-viewer' };
  t.is(await dryRun(t.context, roleBinding({ kind: 'User', name: 'bob' }, roleRef)), 201);
});

test('MTB OPS-4 a tenant can make network policies', async (t) => {
  const policies = served(t, 'networking.k8s.io/networkpolicies');
  t.is((await allowed(t.context, policies, { user: USER, namespace: NAMESPACE })).length, VERBS.length);
  t.is(await dryRun(t.context, networkPolicy({ policyTypes: ['Ingress'] })), 201);
});
