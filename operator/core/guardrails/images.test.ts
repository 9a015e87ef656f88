// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { attachChart } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { LABELS } from '#crds/v1alpha1/names';
import { isFromRegistry } from '../agent/image.ts';
import { GUARDRAILS_CONFIG_MAP, PARAMETERS } from '../tenant/guardrail-parameters.ts';

const test = anyTest as TestFn<{ readonly cluster: AttachedCluster }>;

const NAMESPACE = 'images';
const REGISTRIES = [
  'registry.example',
  'team.example/x',
  'slash.example/y/',
  'docker.io/library/busybox',
  'TEAM',
];
const DIGEST = `sha256:${'0'.repeat(64)}`;

/** Images, and whether they are from one of the registries. */
const IMAGES: Readonly<Record<string, boolean>> = {
  'registry.example/agent': true,
  'registry.example/team/agent:1': true,
  [`registry.example/agent:1@${DIGEST}`]: true,
  'registry.example:5000/agent': false,
  'registry.example.evil/agent': false,
  'registry.example': false,
  'team.example/x/agent:1': true,
  'team.example/x': true,
  'team.example/x:1': true,
  [`team.example/x@${DIGEST}`]: true,
  'team.example/xy': false,
  'team.example/agent': false,
  'slash.example/y/agent': true,
  'slash.example/y:1': true,
  'slash.example/yz:1': false,
  busybox: true,
  'busybox:1': true,
  [`busybox@${DIGEST}`]: true,
  'docker.io/library/busybox:1': true,
  'busybox-evil:1': false,
  'library/busybox:1': true,
  'acme/busybox:1': false,
  'localhost/busybox': false,
  'localhost:5000/library/busybox': false,
  nginx: false,
  'TEAM/agent:1': true,
  'team/agent:1': false,
};

test.before(async (t) => {
  const cluster = await attachChart();
  t.context = { cluster };
  const data = Object.fromEntries(Object.values(PARAMETERS).map((key) => [key, '']));
  // As an operator would have made them: none runs here.
  await cluster.admin.create('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE, labels: { [LABELS.tenant]: NAMESPACE } },
  });
  await cluster.admin.create(`/api/v1/namespaces/${NAMESPACE}/configmaps`, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: GUARDRAILS_CONFIG_MAP, namespace: NAMESPACE },
    data: { ...data, [PARAMETERS.registries]: REGISTRIES.join() },
  });
  await eventually('the guardrails hold, and let pass what is fine', async () => {
    const bad = await ask(cluster, 'nginx');
    return bad.text.includes('policy_blocked') && (await ask(cluster, 'busybox')).isAllowed;
  });
});
test.after.always((t) => t.context.cluster?.admin.send('DELETE', `/api/v1/namespaces/${NAMESPACE}`));

interface Said {
  readonly isAllowed: boolean;
  readonly text: string;
}

/** What the API server says of a pod with the image, without making it. */
async function ask({ admin }: AttachedCluster, image: string): Promise<Said> {
  const answer = await admin.send('POST', `/api/v1/namespaces/${NAMESPACE}/pods?dryRun=All`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image, imagePullPolicy: 'Always' }] },
  });
  return { isAllowed: answer.status === 201, text: answer.text };
}

for (const [image, isAllowed] of Object.entries(IMAGES)) {
  test(`${image} is ${isAllowed ? 'allowed' : 'refused'}, to an Agent and to a pod alike`, async (t) => {
    t.is(isFromRegistry(image, REGISTRIES), isAllowed);
    const said = await ask(t.context.cluster, image);
    t.is(said.isAllowed, isAllowed, said.text);
    if (!isAllowed) t.regex(said.text, /policy_blocked: spec\.containers\[\*\]\.image: found /);
  });
}
