// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import type { PkiFiles } from './pki.ts';

/** The parts of a cluster; each is one process. */
export type ComponentName = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kwok';

/** One process to run: how the supervisor starts it. */
export interface Component {
  readonly name: ComponentName;
  readonly program: string;
  readonly args: readonly string[];
  /** Added to the environment that it inherits; what is set there already wins. */
  readonly env: Readonly<Record<string, string>>;
}

/** The loopback ports of a cluster, all free when it was planned. */
export interface ClusterPorts {
  /** gRPC alone. */
  readonly etcdClient: number;
  /** Health and metrics. */
  readonly etcdHttp: number;
  readonly etcdPeer: number;
  readonly apiServer: number;
  readonly controllerManager: number;
  readonly scheduler: number;
  readonly kwok: number;
}

/** Everything that the command lines of a cluster are made from. */
export interface ComponentPlan {
  readonly programs: Readonly<Record<ComponentName, string>>;
  readonly dataDir: string;
  readonly ports: ClusterPorts;
  readonly pki: PkiFiles;
  readonly kubeconfig: (name: 'kube-controller-manager' | 'kube-scheduler' | 'kwok') => string;
  readonly audit: boolean;
  /** Come last, so they win over ours. */
  readonly extraArgs: Readonly<Partial<Record<ComponentName, readonly string[]>>>;
  /** Stage files for KWOK. */
  readonly stageFiles: readonly string[];
}

/** Where the API server's audit policy and the scheduler's configuration are read, and the audit log is written. */
export const clusterFiles = {
  auditPolicy: (dataDir: string): string => join(dataDir, 'config', 'audit-policy.yaml'),
  auditLog: (dataDir: string): string => join(dataDir, 'audit.log'),
  schedulerConfig: (dataDir: string): string => join(dataDir, 'config', 'kube-scheduler.yaml'),
} as const;

/** The command lines of a cluster. Pure; `flags` of a component are in the order of its own documentation. */
export function planComponents(plan: ComponentPlan): Readonly<Record<ComponentName, Component>> {
  const component = (name: ComponentName, flags: Readonly<Record<string, FlagValue>>): Component => ({
    name,
    program: plan.programs[name],
    args: [...formatFlags(flags), ...(plan.extraArgs[name] ?? [])],
    env: garbageCollection(name),
  });
  return {
    etcd: component('etcd', etcdFlags(plan)),
    'kube-apiserver': component('kube-apiserver', apiServerFlags(plan)),
    'kube-controller-manager': component('kube-controller-manager', controllerManagerFlags(plan)),
    'kube-scheduler': component('kube-scheduler', schedulerFlags(plan)),
    kwok: component('kwok', kwokFlags(plan)),
  };
}

/** The scheduler's configuration file: its client limits cannot be set by flags any more. */
export function schedulerConfig(plan: Pick<ComponentPlan, 'kubeconfig'>): Record<string, unknown> {
  return {
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    clientConnection: { kubeconfig: plan.kubeconfig('kube-scheduler'), ...clientLimits },
    leaderElection: { leaderElect: false },
  };
}

/**
 * How eagerly a component collects garbage. With Go's own setting an API server with a small heap spends a seventh of two
 * cores on it: 1,000 tenants became Ready in 119 s, and in 94 s with 400. The limit bounds what is traded for that.
 */
function garbageCollection(name: ComponentName): Readonly<Record<string, string>> {
  return { GOGC: '800', GOMEMLIMIT: name === 'kube-apiserver' ? '2GiB' : '1GiB' };
}

type FlagValue = string | number | boolean | readonly string[];

/** The components' own limits (20 and 50 requests a second) would be the first ceiling that a test meets. */
const clientLimits = { qps: 2000, burst: 3000 } as const;

/** formatFlags({ a: 1, b: ['x', 'y'] }) -> ['--a=1', '--b=x', '--b=y'] */
function formatFlags(flags: Readonly<Record<string, FlagValue>>): readonly string[] {
  return Object.entries(flags).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((each) => `--${name}=${String(each)}`),
  );
}

function etcdFlags({ dataDir, ports, pki }: ComponentPlan): Record<string, FlagValue> {
  const client = `https://127.0.0.1:${ports.etcdClient}`;
  const peer = `https://127.0.0.1:${ports.etcdPeer}`;
  return {
    name: 'default',
    'data-dir': join(dataDir, 'etcd'),
    'listen-client-urls': client,
    'advertise-client-urls': client,
    // Where HTTP has no port of its own, gRPC goes through the server that answers both, at the cost of a third more processor time.
    'listen-client-http-urls': `https://127.0.0.1:${ports.etcdHttp}`,
    // That port is for health and metrics: nobody here speaks JSON to etcd.
    'enable-grpc-gateway': false,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'cert-file': pki.certificate('etcd'),
    'key-file': pki.key('etcd'),
    'trusted-ca-file': pki.certificate('etcd-ca'),
    'client-cert-auth': true,
    'peer-cert-file': pki.certificate('etcd'),
    'peer-key-file': pki.key('etcd'),
    'peer-trusted-ca-file': pki.certificate('etcd-ca'),
    'peer-client-cert-auth': true,
    // Nothing here outlives the machine's power; a sync per write would only cost time.
    'unsafe-no-fsync': true,
    'log-level': 'warn',
  };
}

function apiServerFlags(plan: ComponentPlan): Record<string, FlagValue> {
  const { dataDir, ports, pki } = plan;
  const audit = {
    'audit-policy-file': clusterFiles.auditPolicy(dataDir),
    'audit-log-path': clusterFiles.auditLog(dataDir),
    // Written before the answer goes out: whoever has an answer finds its line.
    'audit-log-mode': 'blocking',
    // In megabytes, so that it is never another file: with 0 it would be after a hundred.
    'audit-log-maxsize': 1_000_000,
  };
  return {
    'bind-address': '127.0.0.1',
    'advertise-address': '127.0.0.1',
    'secure-port': ports.apiServer,
    // The Service `kubernetes` has no endpoints: a loopback address is not allowed in one.
    'endpoint-reconciler-type': 'none',
    'etcd-servers': `https://127.0.0.1:${ports.etcdClient}`,
    'etcd-cafile': pki.certificate('etcd-ca'),
    'etcd-certfile': pki.certificate('apiserver-etcd-client'),
    'etcd-keyfile': pki.key('apiserver-etcd-client'),
    'tls-cert-file': pki.certificate('kube-apiserver'),
    'tls-private-key-file': pki.key('kube-apiserver'),
    'client-ca-file': pki.certificate('ca'),
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': pki.key('service-account'),
    'service-account-signing-key-file': pki.key('service-account'),
    'service-cluster-ip-range': '10.96.0.0/16',
    'allow-privileged': true,
    ...(plan.audit && audit),
  };
}

function controllerManagerFlags({ ports, pki, kubeconfig }: ComponentPlan): Record<string, FlagValue> {
  const name = 'kube-controller-manager';
  return {
    kubeconfig: kubeconfig(name),
    'authentication-kubeconfig': kubeconfig(name),
    'authorization-kubeconfig': kubeconfig(name),
    'bind-address': '127.0.0.1',
    'secure-port': ports.controllerManager,
    'tls-cert-file': pki.certificate(name),
    'tls-private-key-file': pki.key(name),
    'leader-elect': false,
    // Each controller acts under a service account of its own, with only that controller's role.
    'use-service-account-credentials': true,
    'service-account-private-key-file': pki.key('service-account'),
    'root-ca-file': pki.certificate('ca'),
    'kube-api-qps': clientLimits.qps,
    'kube-api-burst': clientLimits.burst,
    'concurrent-job-syncs': 20,
    'concurrent-namespace-syncs': 20,
    'concurrent-resource-quota-syncs': 20,
    'concurrent-serviceaccount-token-syncs': 20,
    // No cloud, no attachable disks and no authority that signs requests: these would only idle.
    controllers: [
      '*',
      '-node-ipam-controller',
      '-node-route-controller',
      '-service-lb-controller',
      '-persistentvolume-attach-detach-controller',
      '-certificatesigningrequest-signing-controller',
    ],
  };
}

function schedulerFlags({ dataDir, ports, pki, kubeconfig }: ComponentPlan): Record<string, FlagValue> {
  const name = 'kube-scheduler';
  return {
    config: clusterFiles.schedulerConfig(dataDir),
    'authentication-kubeconfig': kubeconfig(name),
    'authorization-kubeconfig': kubeconfig(name),
    'bind-address': '127.0.0.1',
    'secure-port': ports.scheduler,
    'tls-cert-file': pki.certificate(name),
    'tls-private-key-file': pki.key(name),
  };
}

function kwokFlags({ ports, kubeconfig, stageFiles }: ComponentPlan): Record<string, FlagValue> {
  return {
    kubeconfig: kubeconfig('kwok'),
    // Real nodes may join: KWOK plays only those that say so.
    'manage-nodes-with-label-selector': 'type=kwok',
    'node-lease-duration-seconds': 40,
    'node-ip': '10.0.0.1',
    cidr: '10.244.0.0/16',
    'server-address': `127.0.0.1:${ports.kwok}`,
    config: stageFiles,
    // It would tell every step of every pod.
    v: 'WARN',
  };
}
