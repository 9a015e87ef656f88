// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { container, deployment, type Fields, job, pod, roleBinding, service } from '../guardrail-objects.ts';
import { tenantManifest, User } from '../user.ts';

const test = anyTest as TestFn<{ readonly user: User }>;
const PATIENCE = '120s';

test.before(async (t) => {
  t.context = { user: new User(await attachSystem()) };
});

async function ready(user: User, name: string, spec: object = {}): Promise<void> {
  await user.applies(tenantManifest(name, spec));
  await user.does(['wait', `tenant/${name}`, '--for=condition=Ready', `--timeout=${PATIENCE}`]);
}

/** Names of what NexusOS made in a namespace and whoever is in it depends on, sorted. */
async function borders(user: User, namespace: string): Promise<readonly string[]> {
  const kinds = 'networkpolicies,configmaps,resourcequotas,rolebindings';
  const selector = 'app.kubernetes.io/managed-by=nexusos';
  const names = await user.does(['get', kinds, '-n', namespace, '-l', selector, '-o', 'name']);
  return names.split('\n').filter(Boolean).toSorted();
}

function held(object: Fields, namespace: string): Fields {
  const metadata = { ...(object['metadata'] as Fields), namespace, finalizers: ['example.com/held'] };
  return { ...object, metadata };
}

async function letGo(user: User, what: string, namespace: string): Promise<void> {
  const patch = JSON.stringify({ metadata: { finalizers: null } });
  await user.does(['patch', what, '-n', namespace, '--type=merge', '-p', patch]);
}

test('a tenant that is deleted in the foreground keeps its borders until its namespaces go', async (t) => {
  const { user } = t.context;
  await ready(user, 'front', { quotas: { objects: { pods: '5' } } });
  const before = await borders(user, 'front-main');
  t.true(before.length >= 4, before.join());
  const { uid } = (await user.sees<{ metadata: { uid: string } }>('tenant/front'))?.metadata ?? { uid: '' };
  // Nothing but the garbage collector takes it away, so when it is gone all that is owned has had its turn.
  const owner = { apiVersion: 'nexusos.dev/v1alpha1', kind: 'Tenant', name: 'front', uid };
  const canary = { name: 'canary', namespace: 'default', ownerReferences: [owner] };
  await user.applies({ apiVersion: 'v1', kind: 'ConfigMap', metadata: canary });
  const agent = { container: { image: 'registry.example/agent:1' } };
  const kind = { apiVersion: 'nexusos.dev/v1alpha1', kind: 'Agent' };
  await user.applies({ ...kind, metadata: { name: 'a', namespace: 'front-main' }, spec: agent });
  const run = { ...kind, kind: 'Run', metadata: { name: 'r' }, spec: { agentRef: { name: 'a' } } };
  await user.applies(held(run, 'front-main'));

  await user.does(['annotate', 'tenant', 'front', 'nexusos.dev/confirm-deletion=front']);
  await user.does(['delete', 'tenant', 'front', '--cascade=foreground', '--wait=false']);
  await eventually(
    'the garbage collector has been there',
    async () => (await user.sees('configmap/canary')) === undefined,
  );
  t.deepEqual(await borders(user, 'front-main'), before);
  t.not(await user.sees('quotaledger/front'), undefined);

  await letGo(user, 'run/r', 'front-main');
  await user.does(['wait', 'tenant/front', '--for=delete', `--timeout=${PATIENCE}`]);
  t.is(await user.sees('namespace/front-main'), undefined);
});

// A claim, since Kubernetes takes pods away before everything else in a namespace that goes.
test('what holds a namespace of a tenant that goes can be let go, though its parameters are gone', async (t) => {
  const { user } = t.context;
  await ready(user, 'slow');
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'c' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
  const stays = roleBinding(
    { kind: 'User', name: 'slow-admin' },
    { kind: 'ClusterRole', name: 'nexusos:tenant-admin' },
  );
  await user.applies(...[claim, service(), stays].map((one) => held(one, 'slow-main')));
  await user.does(['annotate', 'tenant', 'slow', 'nexusos.dev/confirm-deletion=slow']);
  await user.does(['delete', 'tenant', 'slow', '--wait=false']);
  await eventually(
    'the parameters are gone',
    async () => (await user.sees('-n', 'slow-main', 'configmap/nexusos-guardrails')) === undefined,
  );
  // An owner who holds a Service and a way in takes no addresses of others, now that nothing tells what is theirs.
  const take = { spec: { externalIPs: ['192.0.2.1'] } };
  const patch = [
    'patch',
    'service',
    's',
    '-n',
    'slow-main',
    '--type=merge',
    `--patch=${JSON.stringify(take)}`,
  ];
  const taken = await user.tries([...patch, '--as=slow-admin']);
  t.false(taken.ok);
  t.regex(taken.text, /policy_blocked: spec: found a change in namespace slow-main, which is being deleted/);
  for (const one of ['persistentvolumeclaim/c', 'service/s', 'rolebinding/b'])
    await letGo(user, one, 'slow-main');
  await user.does(['wait', 'tenant/slow', '--for=delete', `--timeout=${PATIENCE}`]);
  t.pass();
});

test('a template prepared before adoption gets no GPUs and no priority by claiming to be of a Run', async (t) => {
  const { user } = t.context;
  const consent = { 'nexusos.dev/adopt-into': 'trojan' };
  const namespace = { name: 'trojan-old', annotations: consent };
  await user.applies({ apiVersion: 'v1', kind: 'Namespace', metadata: namespace });
  const devices = { 'nvidia.com/gpu': '1' };
  const greedy = container({ resources: { requests: devices, limits: devices } });
  const prepared = deployment({ containers: [greedy] }, { 'nexusos.dev/run-uid': 'x' });
  const spec = { ...(prepared['spec'] as Fields), replicas: 0 };
  const metadata = { name: 'miner', namespace: 'trojan-old' };
  await user.applies({ ...prepared, metadata, spec });
  await ready(user, 'trojan', { adoptNamespaces: [{ name: 'trojan-old' }] });
  await user.does(['scale', 'deployment/miner', '-n', 'trojan-old', '--replicas=1']);
  const refusal = await eventually('the pod is refused', async () => {
    const events = await user.does(['get', 'events', '-n', 'trojan-old', '-o', 'jsonpath={..message}']);
    return /policy_blocked: spec\.containers[^;]*; allowed: /.exec(events)?.[0];
  });
  t.regex(refusal, /resources: found c: nvidia\.com\/gpu/);
  t.is(await user.does(['get', 'pods', '-n', 'trojan-old', '-o', 'name']), '');
});

test('a namespace in which pods claim to be of a Run or a service is adopted when they are gone', async (t) => {
  const { user } = t.context;
  const consent = { 'nexusos.dev/adopt-into': 'wooden' };
  const namespace = { name: 'wooden-old', annotations: consent };
  await user.applies({ apiVersion: 'v1', kind: 'Namespace', metadata: namespace });
  const metadata = { name: 'horse', namespace: 'wooden-old', labels: { 'nexusos.dev/run-uid': 'x' } };
  await user.applies({ ...pod(), metadata });
  const impostor = { ...metadata, name: 'mule', labels: { 'nexusos.dev/service': 'chat' } };
  await user.applies({ ...pod(), metadata: impostor });
  await user.applies(tenantManifest('wooden', { adoptNamespaces: [{ name: 'wooden-old' }] }));
  const refused = await eventually('it is refused', async () => {
    const found = await user.condition('Ready', 'tenant/wooden');
    return found?.reason === 'AdoptionRefused' && found;
  });
  t.regex(
    refused.message,
    /wooden-old cannot be adopted: its pods horse, mule claim to be of a Run or a service/,
  );
  await user.does(['delete', 'pod/horse', '-n', 'wooden-old']);
  const left = await eventually('only one is named', async () => {
    const found = await user.condition('Ready', 'tenant/wooden');
    return found?.message.includes('horse') === false && found;
  });
  t.regex(left.message, /its pods mule claim to be/);
  await user.does(['delete', 'pod/mule', '-n', 'wooden-old']);
  await user.does(['wait', 'tenant/wooden', '--for=condition=Ready', `--timeout=${PATIENCE}`]);
});

test('also a controller that is trusted makes no pod that claims to be of a Run', async (t) => {
  const { user } = t.context;
  const namespace = { name: 'puppet-old', annotations: { 'nexusos.dev/adopt-into': 'puppet' } };
  await user.applies({ apiVersion: 'v1', kind: 'Namespace', metadata: namespace });
  const prepared = job();
  const spec = prepared['spec'] as { readonly template: Fields };
  const labels = { 'nexusos.dev/run-uid': 'x' };
  const template = { ...spec.template, metadata: { labels } };
  const metadata = { name: 'strings', namespace: 'puppet-old' };
  await user.applies({ ...prepared, metadata, spec: { ...spec, suspend: true, template } });
  await ready(user, 'puppet', { adoptNamespaces: [{ name: 'puppet-old' }] });
  const resume = JSON.stringify({ spec: { suspend: false } });
  await user.does(['patch', 'job/strings', '-n', 'puppet-old', '--type=merge', '-p', resume]);
  const refusal = await eventually('the pod is refused', async () => {
    const events = await user.does(['get', 'events', '-n', 'puppet-old', '-o', 'jsonpath={..message}']);
    return /policy_blocked: [^;]*; allowed: [^;]*/.exec(events)?.[0];
  });
  t.regex(refusal, /metadata\.labels: found nexusos\.dev\/run-uid; allowed: creating a Run/);
  t.is(await user.does(['get', 'pods', '-n', 'puppet-old', '-o', 'name']), '');
});

test('what was made to look like copies of pull secrets before adoption holds up nothing', async (t) => {
  const { user } = t.context;
  const namespace = 'decoy-old';
  const consent = { 'nexusos.dev/adopt-into': 'decoy' };
  await user.applies({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, annotations: consent },
  });
  const labels = { 'app.kubernetes.io/managed-by': 'nexusos', 'nexusos.dev/tenant': 'decoy' };
  const imagePullSecrets = [{ name: 'nexusos-pull-x' }];
  const metadata = { name: 'nexusos-run', namespace, labels };
  const powerless = roleBinding({ kind: 'User', name: 'nobody' });
  await user.applies(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata, imagePullSecrets },
    { ...powerless, metadata: { ...metadata, name: 'nexusos-pull-secrets' } },
  );
  await ready(user, 'decoy', { adoptNamespaces: [{ name: namespace }] });
  const adopted = await user.sees<{ readonly metadata: Fields }>(`namespace/${namespace}`);
  t.like(adopted?.metadata['labels'], { 'nexusos.dev/tenant': 'decoy' });
});

test('a range of ports that ends before it begins is refused', async (t) => {
  const apply = (endPort: number) => {
    const egress = [{ cidr: '203.0.113.0/24', ports: [{ port: 100, endPort }] }];
    const tenant = JSON.stringify(tenantManifest('ports', { network: { egress } }));
    return t.context.user.tries(['apply', '--dry-run=server', '-f', '-'], tenant);
  };
  const { ok, text } = await apply(50);
  t.false(ok);
  t.regex(text, /ports\[0\].*endPort must not be less than port/);
  t.true((await apply(100)).ok);
});
