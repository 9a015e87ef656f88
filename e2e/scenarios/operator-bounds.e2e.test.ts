// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { configMap, deployment, type Fields, pod, service } from '../guardrail-objects.ts';
import { run } from '../run-world.ts';
import { tenantManifest, User } from '../user.ts';

interface World {
  readonly admin: User;
  /** Somebody who got hold of the operator's token. */
  readonly thief: User;
}

const test = anyTest as TestFn<World>;
const ACCOUNT = 'nexusos-operator';
const SECRETS = 'nexusos:pull-secret-writer';
const RBAC = 'rbac.authorization.k8s.io';
const MARKS = {
  labels: {
    'nexusos.dev/tenant': 'bound',
    'pod-security.kubernetes.io/enforce': 'baseline',
    'pod-security.kubernetes.io/enforce-version': 'latest',
  },
  annotations: { 'nexusos.dev/tenant-uid': 'x' },
} as const;

test.before(async (t) => {
  const cluster = await attachSystem();
  const admin = new User(cluster);
  const kubeconfig = await cluster.serviceAccountKubeconfig(PLATFORM_NAMESPACE, ACCOUNT);
  const consent = { annotations: { 'nexusos.dev/adopt-into': 'bound' } };
  await admin.applies(tenantManifest('bound'), namespace('bound-not'), namespace('bound-yes', consent));
  await admin.awaitsReady('tenant/bound');
  t.context = { admin, thief: new User(cluster, kubeconfig) };
});

function namespace(name: string, metadata: Fields = {}): Fields {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, ...metadata } };
}

function binding(where: string, role: string, account = ACCOUNT): Fields {
  return {
    apiVersion: `${RBAC}/v1`,
    kind: 'RoleBinding',
    // Named as the operator names them: bindings of other names are judged as those that tenants write.
    metadata: { name: role === SECRETS ? 'nexusos-pull-secrets' : 'nexusos-viewer', namespace: where },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace: PLATFORM_NAMESPACE }],
  };
}

function within(where: string, object: Fields): Fields {
  const { name } = object['metadata'] as { readonly name: string };
  return { ...object, metadata: { name, namespace: where } };
}

function clusterRole(name: string, verb: string): Fields {
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: [verb] }];
  return { apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: { name }, rules };
}

function clusterBinding(name: string, role: string): Fields {
  return { ...binding('', role), kind: 'ClusterRoleBinding', metadata: { name } };
}

const MADE: Readonly<
  Record<string, { readonly bad: Fields; readonly good: Fields; readonly found: string }>
> = {
  'an object outside of tenants': {
    bad: configMap({ namespace: 'kube-system' }),
    good: configMap({ namespace: 'bound-main' }),
    found: 'metadata.namespace: found kube-system, for configmaps',
  },
  'a pod outside of tenants': {
    bad: pod({}, { namespace: 'kube-system' }),
    good: pod({}, { namespace: 'bound-main' }),
    found: 'metadata.namespace: found kube-system, for pods',
  },
  'a Run outside of tenants': {
    bad: run('default', 'x'),
    good: run('bound-main', 'x'),
    found: 'metadata.namespace: found default, for runs',
  },
  'a workload outside of tenants': {
    bad: within('kube-system', deployment()),
    good: within('bound-main', deployment()),
    found: 'metadata.namespace: found kube-system, for deployments',
  },
  'a Service outside of tenants': {
    bad: within('kube-system', service()),
    good: within('bound-main', service()),
    found: 'metadata.namespace: found kube-system, for services',
  },
  'a Service on a port of every node': {
    bad: within('bound-main', service({ type: 'NodePort' })),
    good: within('bound-main', service()),
    found: 'spec.type: found NodePort',
  },
  'pods that get devices past the ledger': {
    bad: within('bound-main', deployment({ resourceClaims: [{ name: 'x', resourceClaimName: 'x' }] })),
    good: within('bound-main', deployment()),
    found: 'spec.template.spec.resourceClaims: found x',
  },
  'an object in its own namespace': {
    bad: configMap({ namespace: PLATFORM_NAMESPACE }),
    good: configMap({ namespace: 'bound-main' }),
    found: `metadata.namespace: found ${PLATFORM_NAMESPACE}, for configmaps`,
  },
  'a way to the Secrets of Kubernetes': {
    bad: binding('kube-system', SECRETS),
    good: binding('bound-main', SECRETS),
    found: 'metadata.namespace: found kube-system, for rolebindings',
  },
  'a way to the Secrets of a tenant for somebody else': {
    bad: binding('bound-main', SECRETS, 'default'),
    good: binding('bound-main', SECRETS),
    found: `subjects: found ServiceAccount ${PLATFORM_NAMESPACE}/default`,
  },
  'a binding of its own role': {
    bad: binding('bound-main', 'nexusos:operator', 'default'),
    good: binding('bound-main', 'nexusos:tenant-viewer', 'default'),
    found: 'roleRef: found ClusterRole nexusos:operator',
  },
  'a way to all Secrets': {
    bad: clusterBinding('all-secrets', SECRETS),
    good: clusterRole('nexusos:tenant:more', 'get'),
    found: 'metadata.name: found all-secrets',
  },
  'a way to all Secrets, under a name that it may use': {
    bad: clusterBinding('nexusos:tenant:more', SECRETS),
    good: clusterRole('nexusos:tenant:more', 'watch'),
    found: `roleRef: found ${SECRETS}`,
  },
  'a role by which somebody else writes': {
    bad: clusterRole('nexusos:tenant:more', 'patch'),
    good: clusterRole('nexusos:tenant:more', 'list'),
    found: 'rules[*].verbs: found patch',
  },
  'a namespace without marks': {
    bad: namespace('bound-free'),
    good: namespace('bound-free', MARKS),
    found: 'metadata: found a namespace that is not of a tenant, bound-free',
  },
  'a namespace for privileged pods': {
    bad: namespace('bound-more', { ...MARKS, labels: { 'nexusos.dev/tenant': 'bound' } }),
    good: namespace('bound-more', MARKS),
    found: 'metadata.labels["pod-security.kubernetes.io/enforce"]: found none',
  },
  'a namespace for pods that were harmless once': {
    bad: namespace('bound-more', {
      ...MARKS,
      labels: { ...MARKS.labels, 'pod-security.kubernetes.io/enforce-version': 'v1.0' },
    }),
    good: namespace('bound-more', MARKS),
    found: 'metadata.labels["pod-security.kubernetes.io/enforce"]: found baseline, version v1.0',
  },
  'a namespace named as those of Kubernetes': {
    bad: namespace('kube-more', MARKS),
    good: namespace('bound-more', MARKS),
    found: 'metadata.name: found kube-more',
  },
};

for (const [title, { bad, good, found }] of Object.entries(MADE)) {
  test(`with the token of the operator nobody makes ${title}`, async (t) => {
    const make = (manifest: Fields) =>
      t.context.thief.tries(['create', '--dry-run=server', '-f', '-'], JSON.stringify(manifest));
    const refused = await make(bad);
    t.false(refused.ok, refused.text);
    t.true(refused.text.includes(`policy_blocked: ${found}; allowed: `), refused.text);
    const made = await make(good);
    t.true(made.ok, made.text);
  });
}

test('the operator takes over only namespaces whose owner consents', async (t) => {
  const patch = `--patch=${JSON.stringify({ metadata: MARKS })}`;
  const take = (name: string) =>
    t.context.thief.tries(['patch', 'namespace', name, '--type=merge', '--dry-run=server', patch]);
  for (const name of ['kube-system', 'default', PLATFORM_NAMESPACE, 'bound-not']) {
    const said = await take(name);
    t.false(said.ok, name);
    t.regex(said.text, /policy_blocked: metadata/, name);
  }
  const said = await take('bound-yes');
  t.true(said.ok, said.text);
});

test('the operator removes only what it made where no tenant is', async (t) => {
  const { admin, thief } = t.context;
  const ours = {
    name: 'ours',
    namespace: 'bound-not',
    labels: { 'app.kubernetes.io/managed-by': 'nexusos' },
  };
  await admin.applies(configMap({ name: 'theirs', namespace: 'bound-not' }), configMap(ours));
  const remove = (name: string) =>
    thief.tries(['delete', 'configmap', name, '-n', 'bound-not', '--dry-run=server']);
  const refused = await remove('theirs');
  t.false(refused.ok);
  t.regex(refused.text, /policy_blocked: metadata\.namespace: found bound-not, for configmaps/);
  const removed = await remove('ours');
  t.true(removed.ok, removed.text);
});

function letGo(finalizer: string): object {
  return { metadata: { '$deleteFromPrimitiveList/finalizers': [finalizer] } };
}

test('of a pod that is there the operator takes its own finalizer off, and changes nothing', async (t) => {
  const { admin, thief } = t.context;
  const managed = { 'app.kubernetes.io/managed-by': 'nexusos' };
  const held = { labels: managed, finalizers: ['nexusos.dev/run', 'example.com/kept'] };
  await admin.applies(
    pod({}, { name: 'theirs', namespace: 'bound-not', finalizers: ['nexusos.dev/run'] }),
    ...['bound-not', 'bound-main'].map((where) => pod({}, { ...held, name: 'ours', namespace: where })),
  );
  const change = (where: string, name: string, patch: object) =>
    thief.tries(['patch', 'pod', name, '-n', where, '--dry-run=server', `--patch=${JSON.stringify(patch)}`]);
  for (const where of ['bound-not', 'bound-main']) {
    const said = await change(where, 'ours', letGo('nexusos.dev/run'));
    t.true(said.ok, said.text);
    const more = await change(where, 'ours', { spec: { activeDeadlineSeconds: 5 } });
    t.regex(more.text, /policy_blocked: spec: found a change of pod ours; allowed: finalizers/, where);
    const marked = await change(where, 'ours', { metadata: { labels: { mine: 'yes' } } });
    t.regex(marked.text, /policy_blocked: metadata\.labels: found a change of pod ours/, where);
    for (const other of [
      letGo('example.com/kept'),
      { metadata: { finalizers: ['example.com/kept', 'a.b/c'] } },
    ]) {
      const { text } = await change(where, 'ours', other);
      t.regex(
        text,
        /policy_blocked: metadata\.finalizers: found (example\.com\/kept|a\.b\/c); allowed: removal of/,
      );
    }
  }
  const refused = await change('bound-not', 'theirs', letGo('nexusos.dev/run'));
  t.regex(refused.text, /policy_blocked: metadata\.namespace: found bound-not, for pods/);
});

test('the operator deletes pods of its own making, and none of a tenant', async (t) => {
  const { admin, thief } = t.context;
  const labels = { 'app.kubernetes.io/managed-by': 'nexusos' };
  await admin.applies(
    pod({}, { name: 'plain', namespace: 'bound-main' }),
    pod({}, { name: 'made', namespace: 'bound-main', labels }),
  );
  const remove = (name: string) =>
    thief.tries(['delete', 'pod', name, '-n', 'bound-main', '--dry-run=server']);
  t.true((await remove('made')).ok);
  const { ok, text } = await remove('plain');
  t.false(ok);
  t.regex(text, /policy_blocked: metadata\.labels: found pod plain; allowed: deletion of pods that it made/);
});

function revision(where: string, labels: Fields = {}): Fields {
  const resources = { requests: { cpu: '100m', memory: '64Mi' } };
  const digest = `sha256:${'0'.repeat(64)}`;
  const template = { container: { image: 'registry.example/worker:1', resources } };
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'AgentRevision',
    metadata: { name: 'nobody', namespace: where, labels },
    spec: { agent: 'nobody', revision: 1, digest, template },
  };
}

test('the operator marks revisions where tenants are, and nowhere else', async (t) => {
  const { admin, thief } = t.context;
  await admin.applies(revision('bound-not'), revision('bound-main'));
  const mark = (where: string) =>
    thief.tries(['replace', '--dry-run=server', '-f', '-'], JSON.stringify(revision(where, { mine: 'yes' })));
  const refused = await mark('bound-not');
  t.false(refused.ok);
  t.regex(refused.text, /policy_blocked: metadata\.namespace: found bound-not, for agentrevisions/);
  const marked = await mark('bound-main');
  t.true(marked.ok, marked.text);
});

test('with the token of the operator nobody becomes an owner, or consents to a deletion', async (t) => {
  const change = (patch: object) => {
    const body = `--patch=${JSON.stringify(patch)}`;
    return t.context.thief.tries(['patch', 'tenant', 'bound', '--type=merge', '--dry-run=server', body]);
  };
  const owners = [{ kind: 'User', name: 'thief', role: 'admin' }];
  const owned = await change({ spec: { owners } });
  t.false(owned.ok);
  t.regex(owned.text, /policy_blocked: spec: found a change of Tenant bound; allowed: finalizers and status/);
  const agreed = await change({ metadata: { annotations: { 'nexusos.dev/confirm-deletion': 'bound' } } });
  t.regex(agreed.text, /policy_blocked: metadata\.annotations: found a change of Tenant bound/);
  const kept = await change({ metadata: { finalizers: ['nexusos.dev/tenant', 'example.com/more'] } });
  t.true(kept.ok, kept.text);
});
