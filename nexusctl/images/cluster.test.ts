// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { attachChart } from '#hack/system/attach';
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { eventually } from '#hack/tools/eventually';
import { SignedWorld } from '#operator/supply-chain/testing/signed-world';
import { openDesk, type Ran } from '../testing/cli.ts';

/** A namespace of a tenant as far as this command looks: no operator runs here that would make one. */
const NAMESPACE = 'asked-there-main';
const PLATFORM = 'asked-there-platform';
const POLICY = 'asked-there';
const GROUP = '/apis/nexusos.dev/v1alpha1';

const test = anyTest.serial as TestFn;
let world: SignedWorld;
let cluster: AttachedCluster;
let image: string;

test.before(async () => {
  [world, cluster] = await Promise.all([SignedWorld.start(), attachChart()]);
  image = world.registry.image('asked-there');
  await world.sign(image, 'builder');
});

test.after.always(async () => {
  await world?.stop();
  for (const name of [NAMESPACE, PLATFORM]) await cluster?.admin.send('DELETE', `/api/v1/namespaces/${name}`);
});

async function makes(
  t: ExecutionContext,
  path: string,
  object: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { name } = (object as { metadata: { name: string } }).metadata;
  const { admin } = cluster;
  await eventually(`${path}/${name} is taken`, async () => {
    await admin.send('DELETE', `${path}/${name}`);
    await admin.create(path, object);
    return true;
  });
  t.teardown(() => admin.send('DELETE', `${path}/${name}`));
}

async function policyIn(t: ExecutionContext, spec: object): Promise<void> {
  await makes(t, `${GROUP}/clusterimagepolicies`, {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ClusterImagePolicy',
    metadata: { name: POLICY },
    spec: {
      images: [`${world.registry.host}/*`],
      authorities: [{ name: 'builder', key: { secretRef: { name: 'builder', key: 'cosign.pub' } } }],
      require: { signatures: { from: ['builder'], threshold: 1 } },
      ...spec,
    },
  });
}

async function namespaces(t: ExecutionContext, labels: object): Promise<void> {
  for (const [name, own] of [
    [PLATFORM, {}],
    [NAMESPACE, labels],
  ] as const) {
    await cluster.admin.send('POST', '/api/v1/namespaces', { metadata: { name, labels: own } });
  }
  const pem = await readFile(world.publicPath('builder'), 'utf8');
  await makes(t, `/api/v1/namespaces/${PLATFORM}/secrets`, {
    metadata: { name: 'builder' },
    stringData: { 'cosign.pub': pem },
  });
}

async function asked(t: ExecutionContext, words: string, kubeconfig?: string): Promise<Ran> {
  const desk = await openDesk(t, { KUBECONFIG: kubeconfig ?? cluster.kubeconfigPath });
  const at = `--platform-namespace ${PLATFORM} --plain-http`;
  return desk.nexusctl(`verify ${world.reference(image)} ${at}${words === '' ? '' : ` ${words}`}`);
}

test('by the policies of the cluster that are for a namespace, with keys of the namespace of the platform', async (t) => {
  await namespaces(t, { 'nexusos.dev/tenant': 'asked-there', zone: 'a' });
  await policyIn(t, { namespaceSelector: { matchLabels: { zone: 'a' } } });
  const ran = await asked(t, `--namespace ${NAMESPACE}`);
  t.is(ran.code, 0, ran.out + ran.err);
  t.regex(ran.out, new RegExp(`^namespace: ${NAMESPACE}$`, 'm'));
  t.regex(ran.out, /^pods: start$/m);
  await policyIn(t, { namespaceSelector: { matchLabels: { zone: 'b' } } });
  const other = await asked(t, `--namespace ${NAMESPACE}`);
  t.is(other.code, 2, other.out);
  t.regex(other.err, new RegExp(`${POLICY} does not select namespace ${NAMESPACE}`));
  const anywhere = await asked(t, '');
  t.is(anywhere.code, 0, anywhere.err);
  t.regex(anywhere.out, /note: it is for the namespaces that its namespaceSelector selects/);
});

test('a policy of the cluster that cannot be read lets nothing pass, and which part is told', async (t) => {
  await namespaces(t, { 'nexusos.dev/tenant': 'asked-there' });
  await policyIn(t, { authorities: [{ name: 'builder', key: { secretRef: { name: 'gone', key: 'k' } } }] });
  const ran = await asked(t, `--namespace ${NAMESPACE} -o json`);
  t.is(ran.code, 3, ran.err);
  const told = JSON.parse(ran.out) as { policies: readonly { name: string; message: string }[] };
  t.like(told, { outcome: 'Unknown', pods: 'DoNotStart' });
  const [own] = told.policies.filter(({ name }) => name.endsWith(POLICY));
  t.like(own, { reason: 'PolicyInvalid' });
  t.regex(own?.message ?? '', /key\.secretRef: found no key k in a Secret gone/);
});

test('namespaces that are nobody’s, or not there, are told', async (t) => {
  await namespaces(t, { 'nexusos.dev/tenant': 'asked-there' });
  await policyIn(t, {});
  const platform = await asked(t, `--namespace ${PLATFORM}`);
  t.is(platform.code, 2);
  t.regex(platform.err, /is no tenant's/);
  const missing = await asked(t, '--namespace asked-nowhere');
  t.is(missing.code, 2);
  t.regex(missing.err, /there is no namespace asked-nowhere/);
  const alone = await asked(t, '--pull-secrets');
  t.is(alone.code, 2);
  t.regex(alone.err, /name it by --namespace/);
});

test('who may not read what is needed is told what, and how to go on', async (t) => {
  await namespaces(t, { 'nexusos.dev/tenant': 'asked-there' });
  await policyIn(t, {});
  const nobody = await cluster.kubeconfigFor({ user: 'asked-by-nobody' });
  const ran = await asked(t, `--namespace ${NAMESPACE}`, nobody);
  t.is(ran.code, 3);
  t.regex(ran.err, /you may not list clusterimagepolicies.*--policy/);
  // Policies, but no Secrets, as auditors may.
  const role = `asked-there-${createHash('sha256').update(NAMESPACE).digest('hex').slice(0, 8)}`;
  const rules = [
    { apiGroups: ['nexusos.dev'], resources: ['*'], verbs: ['get', 'list'] },
    { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
  ];
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  await makes(t, `${rbac}/clusterroles`, { metadata: { name: role }, rules });
  await makes(t, `${rbac}/clusterrolebindings`, {
    metadata: { name: role },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'asked-by-auditor' }],
  });
  const auditor = await cluster.kubeconfigFor({ user: 'asked-by-auditor' });
  const without = await asked(t, `--namespace ${NAMESPACE}`, auditor);
  t.is(without.code, 3, without.out);
  t.regex(without.out, new RegExp(`you may not read Secret ${PLATFORM}/builder`));
});
