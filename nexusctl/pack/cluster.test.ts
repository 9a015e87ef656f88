// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { attachCluster } from '#hack/cluster/attach';
import { openDesk } from '../testing/cli.ts';

const NAMESPACE = 'nexusctl-diff';

test('diff looks at a cluster: what is bound, with its namespace, and nothing is written', async (t) => {
  const { kubeconfigPath, admin } = await attachCluster();
  await admin.create('/api/v1/namespaces', {
    metadata: { name: NAMESPACE, labels: { 'nexusctl-diff': 'yes' } },
  });
  t.teardown(() => admin.send('DELETE', `/api/v1/namespaces/${NAMESPACE}`));
  for (const [name, owner] of Object.entries({ one: 'ann', two: '', three: '' })) {
    const metadata = { name, labels: owner === '' ? {} : { owner } };
    await admin.create(`/api/v1/namespaces/${NAMESPACE}/configmaps`, { metadata });
  }
  const desk = await openDesk(t, { KUBECONFIG: kubeconfigPath });
  await desk.write({
    'pack/manifest.yaml': `kind: PolicyPack
metadata: { name: owners }
spec:
  version: 1.0.0
  binding:
    rules: [{ apiGroups: [""], resources: [configmaps] }]
    namespaceSelector: { matchLabels: { nexusctl-diff: "yes" } }
`,
    'pack/owners.rego': `package owners
deny contains "who owns it?" if {
	not input.review.object.metadata.labels.owner
	input.review.object.metadata.name != "kube-root-ca.crt"
	input.namespace.labels["nexusctl-diff"] == "yes"
}
`,
  });
  const told = await desk.nexusctl('pack diff pack -o json');
  t.is(told.code, 1, told.err);
  const found = JSON.parse(told.out) as { examples: { name: string; namespace: string }[] };
  t.like(found, { newlyDenied: 2, newlyAllowed: 0, unread: 0 });
  t.deepEqual(found.examples.map(({ namespace, name }) => `${namespace}/${name}`).toSorted(), [
    `${NAMESPACE}/three`,
    `${NAMESPACE}/two`,
  ]);
  const inOne = await desk.nexusctl(`pack diff pack --namespace ${NAMESPACE} --old pack`);
  t.is(inOne.code, 0, inOne.err);
  t.regex(inOne.out, /0 newly denied, 0 newly allowed, 2 denied/);
});

test('diff has packs look at live objects of the cluster, and tells what it has not', async (t) => {
  const { kubeconfigPath, admin } = await attachCluster();
  const namespace = `${NAMESPACE}-seen`;
  await admin.create('/api/v1/namespaces', { metadata: { name: namespace } });
  t.teardown(() => admin.send('DELETE', `/api/v1/namespaces/${namespace}`));
  for (const name of ['one', 'two'])
    await admin.create(`/api/v1/namespaces/${namespace}/configmaps`, {
      metadata: { name },
      data: { port: '80' },
    });
  const desk = await openDesk(t, { KUBECONFIG: kubeconfigPath });
  const manifest = (kind: string) => `kind: PolicyPack
metadata: { name: ports }
spec:
  version: 1.0.0
  binding: { rules: [{ apiGroups: [""], resources: [configmaps] }] }
  inventory: { kinds: [{ apiVersion: v1, kind: ${kind}, fields: [data.port] }], namespaces: [${namespace}] }
`;
  await desk.write({
    'pack/manifest.yaml': manifest('ConfigMap'),
    'pack/ports.rego': `package ports
deny contains sprintf("port of %s", [name]) if {
	some name, other in data.inventory.namespace["${namespace}"].v1.ConfigMap
	name != input.review.name
	other.data.port == input.review.object.data.port
}
`,
  });
  const seen = await desk.nexusctl(`pack diff pack --namespace ${namespace} -o json`);
  t.like(JSON.parse(seen.out), { newlyDenied: 2, unseen: [] }, seen.err);
  await desk.write({ 'pack/manifest.yaml': manifest('Unheard') });
  const unheard = await desk.nexusctl(`pack diff pack --namespace ${namespace} -o json`);
  t.like(
    JSON.parse(unheard.out),
    { newlyDenied: 0, unseen: ['the cluster has no Unheard of v1'] },
    unheard.err,
  );
});

test('a cluster that is not there is told in plain words', async (t) => {
  const desk = await openDesk(t, { KUBECONFIG: 'nowhere' });
  await desk.nexusctl('pack init tags');
  const { code, err } = await desk.nexusctl('pack diff tags');
  t.is(code, 3);
  t.regex(err, /the kubeconfig cannot be used: /);
});

test('contexts and files are chosen as kubectl does', async (t) => {
  const { kubeconfigPath } = await attachCluster();
  const desk = await openDesk(t, { KUBECONFIG: `absent:other.yaml:${kubeconfigPath}` });
  await desk.nexusctl('pack init tags');
  await desk.write({
    'other.yaml': kubeconfig('other'),
    'proxied.yaml': kubeconfig('proxied', 'http://127.0.0.1:1'),
  });
  const first = await desk.nexusctl('pack diff tags');
  t.regex(first.err, /the cluster does not answer: /, 'of two, the first says which is current');
  t.is(first.code, 3);
  const { code, err } = await desk.nexusctl(`pack diff tags --kubeconfig ${kubeconfigPath}`);
  t.true([0, 1].includes(code), err);
  const unknown = await desk.nexusctl('pack diff tags --context nowhere');
  t.is(unknown.code, 3);
  t.regex(unknown.err, /the kubeconfig cannot be used: there is no context nowhere; there are other, /);
  const proxied = await desk.nexusctl('pack diff tags --kubeconfig proxied.yaml');
  t.is(proxied.code, 3);
  t.regex(proxied.err, /cluster proxied has a proxy-url, which is not supported: forward a port/);
});

/** Of a cluster where nobody listens. */
function kubeconfig(name: string, proxy?: string): string {
  const cluster = { server: 'https://127.0.0.1:1', ...(proxy !== undefined && { 'proxy-url': proxy }) };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster }],
    users: [{ name, user: { token: 'x' } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  });
}
