// SPDX-License-Identifier: Apache-2.0
import {
  appsObject,
  container,
  cronJob,
  deployment,
  type Fields,
  job,
  pod,
  podTemplate,
  replicationController,
  template,
} from './guardrail-objects.ts';
import type { Pair } from './guardrail-pair.ts';

const GPU = { resources: { limits: { 'nvidia.com/gpu': '1' } } };

function withContainer(fields: Fields): Fields {
  return deployment({ containers: [container(fields)] });
}

function withVolume(volume: Fields): Fields {
  return deployment({ volumes: [{ name: 'v', ...volume }] });
}

function withToleration(toleration: Fields): Fields {
  return deployment({ tolerations: [toleration] });
}

function withNodeAffinity(key: string, how: 'required' | 'preferred'): Fields {
  const term = { matchExpressions: [{ key, operator: 'Exists' }] };
  const nodeAffinity =
    how === 'required'
      ? { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } }
      : { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: term }] };
  return deployment({ affinity: { nodeAffinity } });
}

function antiAffinity(scope: Fields): Fields {
  const topologyKey = 'topology.kubernetes.io/zone';
  return { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector: {}, ...scope }] };
}

function workloadPair(kind: string, make: (fields: Fields) => Fields): readonly [string, Pair] {
  return [
    `a ${kind} of pods on the network of the node`,
    { bad: make({ hostNetwork: true }), good: make({}), field: 'hostNetwork' },
  ];
}

function volumeClaim(labels: Fields): Fields {
  const resources = { requests: { storage: '1Gi' } };
  return { metadata: { name: 'data', labels }, spec: { accessModes: ['ReadWriteOnce'], resources } };
}

function ephemeralVolume(labels: Fields): Fields {
  const { spec } = volumeClaim(labels);
  return { name: 'data', ephemeral: { volumeClaimTemplate: { metadata: { labels }, spec } } };
}

function statefulSetOf(claim: Fields): Fields {
  const set = appsObject('StatefulSet', template());
  return { ...set, spec: { ...(set['spec'] as Fields), volumeClaimTemplates: [claim] } };
}

/** Pods and templates of pods. */
export const WORKLOAD_PAIRS: Readonly<Record<string, Pair>> = {
  'the network of the node': {
    bad: deployment({ hostNetwork: true }),
    good: deployment({ hostNetwork: false }),
    field: 'hostNetwork',
  },
  'the processes of the node': {
    bad: deployment({ hostPID: true }),
    good: deployment({ hostPID: false }),
    field: 'hostPID',
  },
  'the IPC of the node': { bad: deployment({ hostIPC: true }), good: deployment(), field: 'hostIPC' },
  'a port of the node': {
    bad: withContainer({ ports: [{ containerPort: 80, hostPort: 80 }] }),
    good: withContainer({ ports: [{ containerPort: 80 }] }),
    field: 'hostPort',
    found: 'c: 80',
  },
  'a path of the node': {
    bad: withVolume({ hostPath: { path: '/etc' } }),
    good: withVolume({ emptyDir: {} }),
    field: 'volumes',
    found: 'v: hostPath',
  },
  'a file server past every NetworkPolicy': {
    bad: withVolume({ nfs: { server: '10.0.0.1', path: '/' } }),
    good: withVolume({ configMap: { name: 'm' } }),
    field: 'volumes',
  },
  'an image from the cache of the node': {
    bad: withContainer({ imagePullPolicy: 'IfNotPresent' }),
    good: withContainer({ imagePullPolicy: 'Always' }),
    field: 'imagePullPolicy',
  },
  'an image that is never pulled, in an init container': {
    bad: deployment({ initContainers: [container({ name: 'i', imagePullPolicy: 'Never' })] }),
    good: deployment({ initContainers: [container({ name: 'i' })] }),
    field: 'imagePullPolicy',
  },
  'an image of another registry': {
    bad: withContainer({ image: 'evil.example/agent:1' }),
    good: withContainer({ image: 'registry.example/team/agent:1' }),
    field: 'image',
  },
  'a registry whose name starts like an allowed one': {
    bad: withContainer({ image: 'registry.example.evil/agent:1' }),
    good: withContainer({
      image: 'registry.example/agent@sha256:0000000000000000000000000000000000000000000000000000000000000000',
    }),
    field: 'image',
  },
  'another port of an allowed registry': {
    bad: withContainer({ image: 'registry.example:5000/agent:1' }),
    good: withContainer({ image: 'registry.example/5000/agent:1' }),
    field: 'image',
  },
  'a short name that means another image of Docker Hub': {
    bad: withContainer({ image: 'nginx' }),
    good: withContainer({ image: 'busybox:1' }),
    field: 'image',
  },
  'a repository whose name starts like an allowed one': {
    bad: withContainer({ image: 'busybox-evil:1' }),
    good: withContainer({ image: 'docker.io/library/busybox' }),
    field: 'image',
  },
  'an image of another registry as a volume': {
    bad: withVolume({ image: { reference: 'evil.example/data:1', pullPolicy: 'Always' } }),
    good: withVolume({ image: { reference: 'registry.example/data:1', pullPolicy: 'Always' } }),
    field: 'image',
  },
  'an image volume from the cache of the node': {
    bad: withVolume({ image: { reference: 'registry.example/data:1', pullPolicy: 'IfNotPresent' } }),
    good: withVolume({ image: { reference: 'registry.example/data:1', pullPolicy: 'Always' } }),
    field: 'pullPolicy',
  },
  'a GPU outside a Run': {
    bad: withContainer(GPU),
    good: withContainer({ resources: { limits: { cpu: '1', memory: '1Gi' } } }),
    field: 'resources',
    found: 'c: nvidia.com/gpu',
  },
  'a GPU in an init container': {
    bad: deployment({ initContainers: [container({ name: 'i', ...GPU })] }),
    good: deployment({ initContainers: [container({ name: 'i' })] }),
    field: 'resources',
  },
  'a device claim outside a Run': {
    bad: deployment({ resourceClaims: [{ name: 'gpu', resourceClaimName: 'gpu' }] }),
    good: deployment({ resourceClaims: [] }),
    field: 'resourceClaims',
  },
  'a node chosen by hand': { bad: deployment({ nodeName: 'cpu-0' }), good: deployment(), field: 'nodeName' },
  'a node pool chosen by hand': {
    bad: deployment({ nodeSelector: { 'nexusos.dev/node-pool': 'h100' } }),
    good: deployment({ nodeSelector: { 'kubernetes.io/arch': 'amd64' } }),
    field: 'nodeSelector',
  },
  'nodes of another tenant, required': {
    bad: withNodeAffinity('nexusos.dev/dedicated', 'required'),
    good: withNodeAffinity('kubernetes.io/arch', 'required'),
    field: 'affinity',
  },
  'nodes of another tenant, preferred': {
    bad: withNodeAffinity('nexusos.dev/dedicated', 'preferred'),
    good: withNodeAffinity('kubernetes.io/arch', 'preferred'),
    field: 'affinity',
  },
  'a toleration of every taint': {
    bad: withToleration({ operator: 'Exists' }),
    good: withToleration({ key: 'spot', operator: 'Exists' }),
    field: 'tolerations',
    found: 'every taint',
  },
  'a toleration of dedicated nodes': {
    bad: withToleration({ key: 'nexusos.dev/dedicated', operator: 'Exists' }),
    good: withToleration({ key: 'dedicated', operator: 'Exists' }),
    field: 'tolerations',
  },
  'nodes with GPUs, tolerated': {
    bad: withToleration({ key: 'nvidia.com/gpu', operator: 'Exists' }),
    good: withToleration({ key: 'nvidia.example/gpu', operator: 'Exists' }),
    field: 'tolerations',
    found: 'nvidia.com/gpu',
  },
  'nodes with GPUs, tolerated by a pod': {
    bad: pod({ tolerations: [{ key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' }] }),
    good: pod({ tolerations: [{ key: 'spot', value: 'yes', effect: 'NoSchedule' }] }),
    field: 'tolerations',
    found: 'nvidia.com/gpu',
  },
  'nodes with GPUs, selected': {
    bad: deployment({ nodeSelector: { 'nvidia.com/gpu.product': 'NVIDIA-L4' } }),
    good: deployment({ nodeSelector: { 'example.com/gpu.product': 'NVIDIA-L4' } }),
    field: 'nodeSelector',
    found: 'nvidia.com/gpu.product',
  },
  'nodes with GPUs, by affinity': {
    bad: withNodeAffinity('nvidia.com/gpu.product', 'required'),
    good: withNodeAffinity('topology.kubernetes.io/zone', 'required'),
    field: 'affinity',
    found: 'nvidia.com/gpu.product',
  },
  'nodes of the control plane, tolerated': {
    bad: withToleration({ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }),
    good: withToleration({ key: 'node.kubernetes.io/not-ready', operator: 'Exists' }),
    field: 'tolerations',
    found: 'node-role.kubernetes.io/control-plane',
  },
  'nodes of the control plane, selected': {
    bad: deployment({ nodeSelector: { 'node-role.kubernetes.io/control-plane': '' } }),
    good: deployment({ nodeSelector: { 'node.kubernetes.io/instance-type': 'm7i.8xlarge' } }),
    field: 'nodeSelector',
    found: 'node-role.kubernetes.io/control-plane',
  },
  'nodes of the control plane, preferred': {
    bad: withNodeAffinity('node-role.kubernetes.io/control-plane', 'preferred'),
    good: withNodeAffinity('node.kubernetes.io/instance-type', 'preferred'),
    field: 'affinity',
    found: 'node-role.kubernetes.io/control-plane',
  },
  'a zone that pods of others are kept off': {
    bad: deployment({ affinity: { podAntiAffinity: antiAffinity({ namespaceSelector: {} }) } }),
    good: deployment({ affinity: { podAntiAffinity: antiAffinity({}) } }),
    field: 'affinity',
    found: 'podAntiAffinity over a namespaceSelector',
  },
  'priority over the cluster itself': {
    bad: deployment({ priorityClassName: 'system-node-critical' }),
    good: deployment({ priorityClassName: 'batch' }),
    field: 'priorityClassName',
    found: 'system-node-critical',
  },
  'priority over other tenants': {
    bad: pod({ priorityClassName: 'urgent' }),
    good: pod({ priorityClassName: 'batch' }),
    field: 'priorityClassName',
    found: 'urgent',
  },
  'priority over other tenants, in a CronJob': {
    bad: cronJob({ priorityClassName: 'urgent' }),
    good: cronJob({ priorityClassName: 'batch' }),
    field: 'priorityClassName',
    found: 'urgent',
  },
  'priority over other tenants, in a PodTemplate': {
    bad: podTemplate({ priorityClassName: 'urgent' }),
    good: podTemplate({ priorityClassName: 'batch' }),
    field: 'priorityClassName',
    found: 'urgent',
  },
  'pods that claim to be of a Run': {
    bad: deployment({}, { 'nexusos.dev/run-uid': 'x' }),
    good: deployment({}, { 'example.com/run-uid': 'x' }),
    field: 'metadata.labels',
  },
  'volume claims of a StatefulSet that claim to be ours': {
    bad: statefulSetOf(volumeClaim({ 'app.kubernetes.io/managed-by': 'nexusos' })),
    good: statefulSetOf(volumeClaim({ 'app.kubernetes.io/managed-by': 'helm' })),
    field: 'volumeClaimTemplates[*].metadata.labels',
    found: 'app.kubernetes.io/managed-by',
  },
  'volume claims of a pod that claim to be of a tenant': {
    bad: pod({ volumes: [ephemeralVolume({ 'nexusos.dev/tenant': 'x' })] }),
    good: pod({ volumes: [ephemeralVolume({ 'example.com/tenant': 'x' })] }),
    field: 'ephemeral.volumeClaimTemplate.metadata.labels',
    found: 'nexusos.dev/tenant',
  },
  ...Object.fromEntries([
    ...['StatefulSet', 'DaemonSet', 'ReplicaSet'].map((kind) =>
      workloadPair(kind, (fields) => appsObject(kind, template(fields))),
    ),
    workloadPair('ReplicationController', replicationController),
    workloadPair('Job', job),
    workloadPair('CronJob', cronJob),
    workloadPair('PodTemplate', podTemplate),
  ]),
  'a pod of another registry': {
    bad: pod({ containers: [container({ image: 'evil.example/a:1' })] }),
    good: pod(),
    field: 'image',
  },
  'a pod that claims to be of a Run': {
    bad: pod({}, { labels: { 'nexusos.dev/run-uid': 'x' } }),
    good: pod({}, { labels: { 'example.com/run-uid': 'x' } }),
    field: 'metadata.labels',
  },
  'a pod that claims to be managed by NexusOS': {
    bad: pod({}, { labels: { 'app.kubernetes.io/managed-by': 'nexusos' } }),
    good: pod({}, { labels: { 'app.kubernetes.io/managed-by': 'helm' } }),
    field: 'managed-by',
  },
  'a pod that claims to be of a tenant': {
    bad: pod({}, { labels: { 'nexusos.dev/tenant': 'stranger' } }),
    good: pod({}, { labels: { 'example.com/tenant': 'stranger' } }),
    field: 'metadata.labels',
    found: 'nexusos.dev/tenant=stranger',
  },
  'a pod by a name of NexusOS': {
    bad: pod({}, { name: 'nexusos-p' }),
    good: pod({}, { name: 'my-nexusos' }),
    field: 'metadata.name',
    found: 'nexusos-p',
  },
  'a privileged pod': {
    bad: pod({ containers: [container({ securityContext: { privileged: true } })] }),
    good: pod(),
    field: '',
  },
  'a pod as root': {
    bad: pod({ securityContext: { runAsUser: 0 } }),
    good: pod({ securityContext: { runAsUser: 1000 } }),
    field: '',
  },
};
