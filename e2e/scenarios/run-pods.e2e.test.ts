// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { container, type Fields, pod } from '../guardrail-objects.ts';
import { tenantManifest, User } from '../user.ts';

/** Somebody who got hold of the operator's token. */
const test = anyTest as TestFn<{ readonly thief: User; readonly owner: User }>;

const OF_RUN = { 'nexusos.dev/run-uid': 'x' };
const DEDICATED = 'nexusos.dev/dedicated';
const OPEN = 'podded-open';
const REGISTRIES = ['registry.example', 'team.example/x', 'docker.io/library/busybox'];

test.before(async (t) => {
  const cluster = await attachSystem();
  const admin = new User(cluster);
  const token = await cluster.serviceAccountKubeconfig(PLATFORM_NAMESPACE, 'nexusos-operator');
  await admin.applies(
    { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'sandbox' }, handler: 'sandbox' },
    ...openNamespace(),
    tenantManifest('podded', { entitlements: { registries: REGISTRIES } }),
    tenantManifest('podded-free'),
    tenantManifest('podded-hard', { isolation: { tier: 'Hard', runtimeClassName: 'sandbox' } }),
    tenantManifest('podded-idle', { suspended: true }),
  );
  await admin.awaitsReady('tenant/podded');
  await admin.awaitsReady('tenant/podded-free');
  await admin.awaitsReady('tenant/podded-hard');
  await admin.does(['wait', 'tenant/podded-idle', '--for=condition=Ready', '--timeout=120s']);
  t.context = { thief: new User(cluster, token), owner: admin };
});
test.after.always((t) => t.context.owner?.does(['delete', 'namespace', OPEN, '--wait=false']));

/** One like that of a tenant, without the Pod Security Standard that refuses some of this first, in its own words. */
function openNamespace(): readonly object[] {
  const labels = { 'nexusos.dev/tenant': 'podded-nobody' };
  const data = {
    tenant: 'podded-nobody',
    registries: REGISTRIES.join(),
    isolation: 'Soft',
    runtimeClass: '',
    contact: 'nobody',
  };
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: OPEN, labels, annotations: { 'nexusos.dev/confirm-deletion': OPEN } },
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'nexusos-guardrails', namespace: OPEN }, data },
  ];
}

interface Case {
  readonly pod: Fields;
  /** Default: that of a tenant with registries. */
  readonly namespace?: string;
  /** What the refusal says; undefined where the pod is let in. */
  readonly refused?: string;
}

function withContainer(fields: Fields): Fields {
  return { containers: [container(fields)] };
}

function withVolume(volume: Fields): Fields {
  return { volumes: [{ name: 'v', ...volume }] };
}

const PORTS = [{ containerPort: 80, hostPort: 80 }];
const ZONES = { topologyKey: 'zone', labelSelector: {}, namespaceSelector: {} };
const EXISTS = { matchExpressions: [{ key: DEDICATED, operator: 'Exists' }] };

/** Of each rule for pods of Runs a pod that breaks it, and such as need more than a glance and keep to all of them. */
const CASES: Readonly<Record<string, Case>> = {
  'a plain one': { pod: {} },
  'a plain one, where images may come from anywhere': {
    pod: withContainer({ image: 'nginx' }),
    namespace: 'podded-free-main',
  },
  'a plain one, where nothing but our rules is in force': { pod: {}, namespace: OPEN },
  'one of a tenant that was suspended meanwhile': { pod: {}, namespace: 'podded-idle-main' },
  'the network of the node': {
    pod: { hostNetwork: true },
    namespace: OPEN,
    refused: 'spec.hostNetwork: found true',
  },
  'the processes of the node': {
    pod: { hostPID: true },
    namespace: OPEN,
    refused: 'spec.hostPID: found true',
  },
  'the IPC of the node': { pod: { hostIPC: true }, namespace: OPEN, refused: 'spec.hostIPC: found true' },
  'a path of the node': {
    pod: withVolume({ hostPath: { path: '/etc' } }),
    namespace: OPEN,
    refused: 'spec.volumes: found v: hostPath',
  },
  'a path of the node beside what is plain': {
    pod: {
      volumes: [
        { name: 'a', emptyDir: {} },
        { name: 'v', hostPath: { path: '/etc' } },
      ],
    },
    namespace: OPEN,
    refused: 'spec.volumes: found v: hostPath',
  },
  'a driver of the cluster': { pod: withVolume({ csi: { driver: 'd.example' } }) },
  'volumes that nobody else reaches': {
    pod: {
      volumes: [
        { name: 'a', configMap: { name: 'm' } },
        { name: 'b', secret: { secretName: 's' } },
        { name: 'c', persistentVolumeClaim: { claimName: 'p' } },
      ],
    },
  },
  'a port of the node': {
    pod: withContainer({ ports: PORTS }),
    namespace: OPEN,
    refused: 'spec.containers[*].ports[*].hostPort: found c: 80',
  },
  'a port of its own': { pod: withContainer({ ports: [{ containerPort: 80 }] }) },
  'an image from the cache of the node': {
    pod: withContainer({ imagePullPolicy: 'IfNotPresent' }),
    refused: 'spec.containers[*].imagePullPolicy: found c: IfNotPresent',
  },
  'the same in a second container': {
    pod: { containers: [container(), container({ name: 'd', imagePullPolicy: 'Never' })] },
    refused: 'spec.containers[*].imagePullPolicy: found d: Never',
  },
  'the same in an init container': {
    pod: { initContainers: [container({ name: 'i', imagePullPolicy: 'Never' })] },
    refused: 'spec.containers[*].imagePullPolicy: found i: Never',
  },
  'an image volume from the cache of the node': {
    pod: withVolume({ image: { reference: 'registry.example/data:1', pullPolicy: 'IfNotPresent' } }),
    refused: 'spec.volumes[*].image.pullPolicy: found v',
  },
  'an image of another registry': {
    pod: withContainer({ image: 'evil.example/agent:1' }),
    refused: 'spec.containers[*].image: found evil.example/agent:1',
  },
  'a registry whose name starts like an allowed one': {
    pod: withContainer({ image: 'registry.example.evil/agent:1' }),
    refused: 'spec.containers[*].image: found registry.example.evil/agent:1',
  },
  'an image of Docker Hub named like an allowed one': {
    pod: withContainer({ image: 'library/nginx' }),
    refused: 'spec.containers[*].image: found library/nginx',
  },
  'an allowed image that needs a closer look': { pod: withContainer({ image: 'busybox:1' }) },
  'an allowed path of a registry': { pod: withContainer({ image: 'team.example/x/agent:1' }) },
  'another path of it': {
    pod: withContainer({ image: 'team.example/xy/agent:1' }),
    refused: 'spec.containers[*].image: found team.example/xy/agent:1',
  },
  'a foreign image as a volume': {
    pod: withVolume({ image: { reference: 'evil.example/data:1', pullPolicy: 'Always' } }),
    refused: 'spec.containers[*].image: found evil.example/data:1',
  },
  'devices, which the ledger has counted': {
    pod: withContainer({ resources: { limits: { 'nvidia.com/gpu': '1' } } }),
  },
  'a device claim, which the ledger has counted': {
    pod: { resourceClaims: [{ name: 'g', resourceClaimName: 'g' }] },
  },
  'a node chosen by hand': { pod: { nodeName: 'cpu-0' }, refused: 'spec.nodeName: found cpu-0' },
  'nodes with GPUs': {
    pod: {
      nodeSelector: { 'nvidia.com/gpu.product': 'NVIDIA-L4' },
      tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists' }],
    },
  },
  'nodes of another tenant': {
    pod: { nodeSelector: { [DEDICATED]: 'stranger' } },
    refused: `spec.nodeSelector, tolerations or affinity: found ${DEDICATED}`,
  },
  'nodes of another tenant, tolerated': {
    pod: { tolerations: [{ key: DEDICATED, value: 'stranger', operator: 'Equal' }] },
    refused: `spec.nodeSelector, tolerations or affinity: found ${DEDICATED}`,
  },
  'every taint, tolerated': {
    pod: { tolerations: [{ operator: 'Exists' }] },
    refused: 'spec.tolerations: found every taint',
  },
  'nodes of another tenant, by affinity': {
    pod: {
      affinity: {
        nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [EXISTS] } },
      },
    },
    refused: `spec.nodeSelector, tolerations or affinity: found ${DEDICATED}`,
  },
  'distance from pods of everybody': {
    pod: { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [ZONES] } } },
    refused: 'spec.affinity: found podAntiAffinity over a namespaceSelector',
  },
  'labels of ours on a claim': {
    pod: withVolume({
      ephemeral: {
        volumeClaimTemplate: {
          metadata: { labels: { 'nexusos.dev/x': 'y' } },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      },
    }),
  },
  'none of the nodes of a tenant of tier Hard': {
    pod: { runtimeClassName: 'sandbox' },
    namespace: 'podded-hard-main',
    refused: `spec.nodeSelector: found no ${DEDICATED}`,
  },
  'no sandbox in tier Hard': {
    pod: {
      nodeSelector: { [DEDICATED]: 'podded-hard' },
      tolerations: [{ key: DEDICATED, value: 'podded-hard' }],
    },
    namespace: 'podded-hard-main',
    refused: 'spec.runtimeClassName: found not set',
  },
  'the nodes and the sandbox of tier Hard': {
    pod: {
      runtimeClassName: 'sandbox',
      nodeSelector: { [DEDICATED]: 'podded-hard' },
      tolerations: [{ key: DEDICATED, value: 'podded-hard' }],
    },
    namespace: 'podded-hard-main',
  },
};

for (const [title, { pod: spec, namespace = 'podded-main', refused }] of Object.entries(CASES)) {
  test(`a pod of a Run with ${title} is ${refused === undefined ? 'let in' : 'refused'}, whoever has the token of the operator`, async (t) => {
    const manifest = JSON.stringify(pod(spec, { namespace, labels: OF_RUN }));
    const said = await t.context.thief.tries(['create', '--dry-run=server', '-f', '-'], manifest);
    t.is(said.ok, refused === undefined, said.text);
    if (refused !== undefined) t.true(said.text.includes(`policy_blocked: ${refused}`), said.text);
  });
}

test('the label of a Run excuses nobody else from the rules on priority', async (t) => {
  const { owner } = t.context;
  const urgent = pod(
    { priorityClassName: 'system-node-critical' },
    { namespace: 'podded-main', labels: OF_RUN },
  );
  const as = ['--as=podded-admin', '--as-group=system:authenticated'];
  const said = await owner.tries(['create', '--dry-run=server', ...as, '-f', '-'], JSON.stringify(urgent));
  t.false(said.ok);
  t.regex(said.text, /policy_blocked: .*(?:run-uid|managed-by|labels)/);
});
