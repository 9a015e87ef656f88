// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ensureTools, toolModuleFolder, toolVersion } from '../tools/build.ts';
import { identityOf } from '../tools/process-identity.ts';
import type { BuildObserver } from '../tools/progress.ts';
import { type AuditedBodies, auditPolicy } from './audit-policy.ts';
import {
  type ClusterPorts,
  clusterFiles,
  type Component,
  type ComponentName,
  type ComponentPlan,
  planComponents,
  schedulerConfig,
} from './components.ts';
import type { ClusterDescription } from './description.ts';
import { kubeconfigText } from './kubeconfig.ts';
import { createPki, type LeafName, type PkiFiles, readLeaf } from './pki.ts';
import { findFreePorts } from './ports.ts';
import { recordPathOf, writeRecord } from './records.ts';
import type { ClusterRecord } from './supervisor-protocol.ts';

/** What of a cluster can be chosen. */
export interface ClusterOptions {
  /** Shown in kubeconfig files. Default: `nexusos`. */
  readonly name?: string;
  /** Where all of it is kept: empty or not there yet. Default: a new temporary folder. */
  readonly dataDir?: string;
  /** Whether the data folder stays when the cluster ends, to be looked at; it is not used again. Default: no. */
  readonly keepData?: boolean;
  /** Whether the API server writes an audit log. Default: no. */
  readonly audit?: boolean;
  /** With audit: whose writes are logged with what was written. Default: none. */
  readonly auditBodiesOf?: readonly AuditedBodies[];
  /** Whether nodes are simulated. Default: yes. */
  readonly kwok?: boolean;
  /** File of the node pools. Default: node-pools.yaml beside this file. */
  readonly nodePoolsFile?: string;
  /** More flags, `--like=this`; they win over ours. */
  readonly extraArgs?: Readonly<Partial<Record<ComponentName, readonly string[]>>>;
  /** How long the components may take to be ready, in milliseconds, building not counted. Default: two minutes. */
  readonly readyTimeoutMs?: number;
  /** Told of the building of programs that are not in the cache. Default: shown on standard error. */
  readonly onBuildStep?: BuildObserver;
}

/** Where a new cluster lives. */
export interface ClusterPlace {
  /** Unique among the clusters of this user. */
  readonly id: string;
  readonly dataDir: string;
  readonly socketPath: string;
}

/** A cluster with everything written that its components read, and none of them started. */
export interface PreparedCluster {
  readonly description: ClusterDescription;
  readonly components: Readonly<Record<ComponentName, Component>>;
  readonly ports: ClusterPorts;
}

const programNames = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kwok',
  'kubectl',
] as const;

/** The programs of a cluster. */
export type ProgramPaths = Readonly<Record<(typeof programNames)[number], string>>;

/** The paths of the programs of a cluster, built first where they are missing. */
export function ensurePrograms(options: ClusterOptions): Promise<ProgramPaths> {
  const build = options.onBuildStep === undefined ? {} : { onStep: options.onBuildStep };
  return ensureTools(programNames, build);
}

/** Linux takes 107 bytes, macOS 103. */
const longestSocketPath = 103;

/** Whether the data folder goes when the cluster ends. */
export function removesData({ keepData }: ClusterOptions): boolean {
  return keepData !== true;
}

/** Makes the data folder. It holds keys and the supervisor's socket: nobody else may look into it. */
export async function choosePlace(options: ClusterOptions): Promise<ClusterPlace> {
  const id = randomBytes(6).toString('hex');
  const dataDir = options.dataDir ?? join(tmpdir(), `nexusos-cluster-${id}`);
  const socketPath = join(dataDir, 'supervisor.sock');
  if (Buffer.byteLength(socketPath) > longestSocketPath) {
    throw new Error(`${socketPath} is too long for a socket: choose a data folder with a shorter path`);
  }
  if (options.dataDir === undefined) {
    await makeTemporary({ id, dataDir, removeData: removesData(options) });
  } else {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await refuseContents(dataDir);
  }
  await Promise.all(
    ['config', 'kubeconfigs', 'logs'].map((folder) => mkdir(join(dataDir, folder), { recursive: true })),
  );
  return { id, dataDir, socketPath };
}

/**
 * Makes a folder of our own. It is written down before it is there, in the name of this process until a supervisor takes over: a
 * sweep finds what is left when this process is killed. A folder that somebody else has chosen never is: until a supervisor works
 * in it, what is there need not be ours.
 *
 * @throws Error when somebody else has made it meanwhile.
 */
async function makeTemporary(folder: Pick<ClusterRecord, 'id' | 'dataDir' | 'removeData'>): Promise<void> {
  const supervisor = identityOf(process.pid) ?? { pid: process.pid, startedAt: '' };
  const recordPath = recordPathOf(folder.id);
  writeRecord(recordPath, { ...folder, supervisor, owned: true, components: {} });
  try {
    await mkdir(folder.dataDir, { mode: 0o700 });
  } catch (error) {
    await rm(recordPath, { force: true });
    throw error;
  }
}

/** @throws Error when `folder` holds anything: it is not ours to remove. */
async function refuseContents(folder: string): Promise<void> {
  if ((await readdir(folder)).length > 0) {
    throw new Error(`${folder} is not empty: a cluster needs a folder of its own`);
  }
}

/** Writes keys, kubeconfig files and configuration of a new cluster. */
export async function prepareCluster(
  options: ClusterOptions,
  place: ClusterPlace,
  programs: ProgramPaths,
): Promise<PreparedCluster> {
  const { dataDir } = place;
  const pki = await createPki(join(dataDir, 'pki'), new Date());
  const ports = await choosePorts();
  const name = options.name ?? 'nexusos';
  const url = `https://127.0.0.1:${ports.apiServer}`;
  const kubeconfigs = await writeKubeconfigs(dataDir, pki, { name, url });
  const plan: ComponentPlan = {
    programs,
    dataDir,
    ports,
    pki,
    kubeconfig: (component) => kubeconfigs[component],
    audit: options.audit ?? false,
    extraArgs: options.extraArgs ?? {},
    stageFiles: await stageFiles(),
  };
  await writeFile(clusterFiles.auditPolicy(dataDir), stringify(auditPolicy(options.auditBodiesOf)));
  await writeFile(clusterFiles.schedulerConfig(dataDir), stringify(schedulerConfig(plan)));
  const description: ClusterDescription = {
    ...place,
    name,
    url,
    caData: (await readFile(pki.certificate('ca'))).toString('base64'),
    kubeconfigPath: kubeconfigs.admin,
    ...(options.audit === true && { auditLog: clusterFiles.auditLog(dataDir) }),
    kubectlPath: programs.kubectl,
    kubernetesVersion: await toolVersion('kube-apiserver'),
    startedAt: new Date().toISOString(),
  };
  return { description, ports, components: planComponents(plan) };
}

async function choosePorts(): Promise<ClusterPorts> {
  const names = [
    'etcdClient',
    'etcdHttp',
    'etcdPeer',
    'apiServer',
    'controllerManager',
    'scheduler',
    'kwok',
  ] as const;
  const ports = await findFreePorts(names.length);
  return Object.fromEntries(names.map((name, index) => [name, ports[index]])) as unknown as ClusterPorts;
}

const kubeconfigOwners = ['admin', 'kube-controller-manager', 'kube-scheduler', 'kwok'] as const;

type KubeconfigPaths = Readonly<Record<(typeof kubeconfigOwners)[number], string>>;

async function writeKubeconfigs(
  dataDir: string,
  pki: PkiFiles,
  cluster: { readonly name: string; readonly url: string },
): Promise<KubeconfigPaths> {
  const caCertificate = await readFile(pki.certificate('ca'), 'utf8');
  const write = async (owner: LeafName): Promise<readonly [string, string]> => {
    const path = join(dataDir, 'kubeconfigs', `${owner}.kubeconfig`);
    const credential = await readLeaf(pki, owner);
    const text = kubeconfigText({
      clusterName: cluster.name,
      url: cluster.url,
      caCertificate,
      user: owner,
      credential,
    });
    await writeFile(path, text, { mode: 0o600 });
    return [owner, path];
  };
  return Object.fromEntries(await Promise.all(kubeconfigOwners.map(write))) as KubeconfigPaths;
}

/** How nodes live and pods begin is KWOK's own; how pods end is ours. */
async function stageFiles(): Promise<readonly string[]> {
  const stages = join(await toolModuleFolder('kwok'), 'kustomize', 'stage');
  return [
    join(stages, 'node', 'fast', 'node-initialize.yaml'),
    join(stages, 'node', 'heartbeat-with-lease', 'node-heartbeat-with-lease.yaml'),
    join(stages, 'pod', 'fast', 'pod-ready.yaml'),
    join(import.meta.dirname, 'stages', 'pod-lifecycle.yaml'),
  ];
}
