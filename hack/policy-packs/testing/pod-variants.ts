// SPDX-License-Identifier: Apache-2.0
import type { JsonObject } from '#operator/core/policy/review';

/** A pod, and what about it is to be seen. */
export interface PodVariant {
  readonly name: string;
  readonly spec: JsonObject;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What a change sets, by path from the spec; undefined takes out. */
type Change = Readonly<Record<string, unknown>>;

const STRICT_CONTAINER = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
const strict = (): JsonObject => ({
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  initContainers: [{ name: 'init', image: 'a:1', securityContext: STRICT_CONTAINER }],
  containers: [{ name: 'main', image: 'a:1', securityContext: STRICT_CONTAINER }],
});
const plain = (): JsonObject => ({ containers: [{ name: 'main', image: 'a:1' }] });

/** Each in the security context of a container. */
const IN_CONTAINERS: Readonly<Record<string, unknown>> = {
  'windowsOptions.hostProcess': false,
  privileged: true,
  'capabilities.add': ['NET_ADMIN'],
  'capabilities.add.chown': ['CHOWN'],
  'capabilities.add.bind': ['NET_BIND_SERVICE'],
  'capabilities.add.both': ['NET_BIND_SERVICE', 'SYS_TIME'],
  'capabilities.drop': ['NET_RAW'],
  'capabilities.drop.lower': ['all'],
  allowPrivilegeEscalation: true,
  runAsNonRoot: false,
  'runAsNonRoot.true': true,
  runAsUser: 0,
  'runAsUser.other': 1000,
  'seccompProfile.type': 'Unconfined',
  'seccompProfile.type.default': 'RuntimeDefault',
  'appArmorProfile.type': 'Unconfined',
  'appArmorProfile.type.default': 'RuntimeDefault',
  'seLinuxOptions.type': 'spc_t',
  'seLinuxOptions.type.engine': 'container_engine_t',
  'seLinuxOptions.user': 'system_u',
  'seLinuxOptions.role': 'system_r',
  'seLinuxOptions.level': 's0:c1,c2',
  procMount: 'Default',
  readOnlyRootFilesystem: true,
};

/** Each in the security context of the pod. */
const IN_POD: Readonly<Record<string, unknown>> = {
  runAsNonRoot: false,
  'runAsNonRoot.none': undefined,
  runAsUser: 0,
  'runAsUser.other': 1000,
  'seccompProfile.type': 'Unconfined',
  seccompProfile: undefined,
  'appArmorProfile.type': 'Unconfined',
  'seLinuxOptions.type': 'spc_t',
  'seLinuxOptions.user': 'system_u',
  sysctls: [{ name: 'net.ipv4.tcp_rmem', value: '4096 87380 6291456' }],
  'sysctls.unsafe': [{ name: 'kernel.msgmax', value: '65536' }],
  'sysctls.some': [
    { name: 'net.ipv4.ip_unprivileged_port_start', value: '0' },
    { name: 'net.core.somaxconn', value: '1024' },
  ],
  fsGroup: 0,
};

const HOOK = { httpGet: { host: '10.0.0.1', port: 80 } };
const NEAR = { httpGet: { port: 80 } };

// Windows lets none of what is of Linux be said.
const BARE: Change = { initContainers: undefined, 'containers.0.securityContext': undefined };

/** Each in the spec of the pod. */
const IN_SPEC: Readonly<Record<string, Change>> = {
  nothing: {},
  'host network': { hostNetwork: true },
  'host processes': { hostPID: true },
  'host IPC': { hostIPC: true },
  'no host namespaces': { hostNetwork: false, hostPID: false, hostIPC: false },
  'host port': { 'containers.0.ports': [{ containerPort: 80, hostPort: 80 }] },
  'own port': { 'containers.0.ports': [{ containerPort: 80 }] },
  'liveness of a host': { 'containers.0.livenessProbe': HOOK },
  'readiness by TCP of a host': {
    'containers.0.readinessProbe': { tcpSocket: { host: '10.0.0.1', port: 80 } },
  },
  'startup of a host': { 'containers.0.startupProbe': HOOK },
  'liveness of the pod': { 'containers.0.livenessProbe': NEAR },
  'hook after the start of a host': { 'containers.0.lifecycle': { postStart: HOOK } },
  'hook before the end of a host': { 'containers.0.lifecycle': { preStop: HOOK } },
  'hook of the pod': { 'containers.0.lifecycle': { preStop: NEAR } },
  windows: { 'os.name': 'windows', securityContext: undefined, ...BARE },
  'as root in a user namespace': {
    hostUsers: false,
    'securityContext.runAsNonRoot': false,
    'securityContext.runAsUser': 0,
  },
  'unmasked in a user namespace': {
    hostUsers: false,
    'containers.0.securityContext.procMount': 'Unmasked',
  },
  'privileged in a user namespace': {
    hostUsers: false,
    'containers.0.securityContext': { privileged: true },
  },
  'users of the node': { hostUsers: true, 'securityContext.runAsUser': 0 },
  'each container says it': {
    'securityContext.runAsNonRoot': undefined,
    'containers.0.securityContext.runAsNonRoot': true,
    'initContainers.0.securityContext.runAsNonRoot': true,
  },
  'one container does not say it': {
    'securityContext.runAsNonRoot': undefined,
    'containers.0.securityContext.runAsNonRoot': true,
  },
  'a container takes back what the pod says': { 'containers.0.securityContext.runAsNonRoot': false },
  'a container puts right what the pod says': {
    'securityContext.runAsNonRoot': false,
    'containers.0.securityContext.runAsNonRoot': true,
    'initContainers.0.securityContext.runAsNonRoot': true,
  },
};

const VOLUMES: Readonly<Record<string, unknown>> = {
  configMap: { name: 'a' },
  csi: { driver: 'd.example.com' },
  downwardAPI: {},
  emptyDir: {},
  ephemeral: {
    volumeClaimTemplate: {
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    },
  },
  image: { reference: 'a:1' },
  persistentVolumeClaim: { claimName: 'a' },
  projected: { sources: [{ downwardAPI: {} }] },
  secret: { secretName: 'a' },
  hostPath: { path: '/' },
  nfs: { server: 'a', path: '/' },
  iscsi: { targetPortal: '10.0.0.1', iqn: 'iqn.2001-04.com.example:a', lun: 1 },
  fc: { targetWWNs: ['50060e801049cfd1'], lun: 1 },
  flexVolume: { driver: 'example/a' },
  cephfs: { monitors: ['10.0.0.1'] },
  awsElasticBlockStore: { volumeID: 'a' },
  gcePersistentDisk: { pdName: 'a' },
  unsaid: undefined,
};

const ANNOTATIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'AppArmor by annotation, default': {
    'container.apparmor.security.beta.kubernetes.io/main': 'runtime/default',
  },
  'another annotation': { 'example.com/a': 'unconfined' },
};

/** Pods that each show one thing about the Pod Security Standards, beside what is allowed and beside what is plain. */
export function podVariants(): readonly PodVariant[] {
  const inContainers = ['containers', 'initContainers'].flatMap((list) =>
    Object.entries(IN_CONTAINERS).map(([path, value]): readonly [string, Change] => [
      `${list}: ${path}`,
      {
        // What is privileged gains privileges in any case, and may not say otherwise.
        ...(path === 'privileged' && { [`${list}.0.securityContext.allowPrivilegeEscalation`]: undefined }),
        [`${list}.0.securityContext.${keyOf(path)}`]: value,
      },
    ]),
  );
  const inPod = Object.entries(IN_POD).map(([path, value]): readonly [string, Change] => [
    `pod: ${path}`,
    { [`securityContext.${keyOf(path)}`]: value },
  ]);
  const volumes = Object.entries(VOLUMES).map(([type, value]): readonly [string, Change] => [
    `volume: ${type}`,
    { volumes: [{ name: 'v', ...(value !== undefined && { [type]: value }) }] },
  ]);
  const changes = [...inContainers, ...inPod, ...volumes, ...Object.entries(IN_SPEC)];
  const annotated = Object.entries(ANNOTATIONS).map(([name, annotations]) => ({
    name,
    spec: strict(),
    annotations,
  }));
  return [
    ...changes.map(([name, change]) => variant(`strict, ${name}`, strict(), change)),
    ...changes
      .filter(([, change]) => Object.keys(change).every((path) => !path.startsWith('initContainers')))
      .map(([name, change]) => variant(`plain, ${name}`, plain(), change)),
    ...annotated,
  ];
}

/** Names of the same field in two variants end with what tells them apart. */
function keyOf(path: string): string {
  const ENDS = /\.(?:chown|bind|both|lower|true|other|default|engine|none|unsafe|some)$/;
  return path.replace(ENDS, '');
}

function variant(name: string, spec: JsonObject, change: Change): PodVariant {
  const changed = structuredClone(spec);
  for (const [path, value] of Object.entries(change)) put(changed, path.split('.'), value);
  return { name, spec: changed, annotations: {} };
}

function put(holder: Record<string, unknown>, [key = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length > 0) {
    holder[key] ??= {};
    put(holder[key] as Record<string, unknown>, rest, value);
  } else if (value === undefined) delete holder[key];
  else holder[key] = value;
}
