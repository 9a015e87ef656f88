// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import type { AttachedCluster } from '../cluster/attached-cluster.ts';
import { eventually } from '../tools/eventually.ts';
import { runProgram } from '../tools/run-program.ts';
import { ensureTools } from '../tools/build.ts';
import type { BuildObserver } from '../tools/progress.ts';

/** The namespace that the platform is installed into. */
export const PLATFORM_NAMESPACE = 'nexusos-system';

const RUNS_PATH = '/apis/nexusos.dev/v1alpha1/namespaces/default/runs';
const CHART = join(import.meta.dirname, '../../charts/nexusos');

/** Values of the chart, as in values.yaml. */
export type ChartValues = Readonly<Record<string, unknown>>;

/** What of an installation can be chosen. */
export interface InstallOptions {
  readonly values?: ChartValues;
  readonly onBuildStep?: BuildObserver;
}

/**
 * Installs or upgrades charts/nexusos with the real Helm, without its Deployment: the embedded cluster has no
 * container to run it in. Throws with what Helm said when it fails.
 */
export async function installChart(cluster: AttachedCluster, options: InstallOptions = {}): Promise<void> {
  // Without the processes that it would have the API server ask: who starts these says so.
  const values = { operator: { enabled: false }, webhooks: { enabled: false }, ...options.values };
  await helm(cluster, {
    args: ['upgrade', 'nexusos', CHART, '--install', '--create-namespace', '--values=-'],
    stdin: JSON.stringify(values),
    ...(options.onBuildStep && { onBuildStep: options.onBuildStep }),
  });
  await takesRuns(cluster);
}

const ANY_RUN = {
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'Run',
  metadata: { name: 'any', namespace: 'default' },
  spec: { agentRef: { name: 'any' } },
};

/** Waits until the API server can fill in who creates a Run: what it needs for that of a new kind it looks for every few seconds, and says 503 until then. */
async function takesRuns({ admin }: AttachedCluster): Promise<void> {
  await eventually('the API server takes Runs', async () => {
    const { status, text } = await admin.send('POST', `${RUNS_PATH}?dryRun=All`, ANY_RUN);
    if (status === 404 || status === 503) throw new Error(text);
    return true;
  });
}

/** Uninstalls it as its users do. Throws with what Helm said when it fails. */
export function uninstallChart(cluster: AttachedCluster): Promise<void> {
  return helm(cluster, { args: ['uninstall', 'nexusos', '--wait'] });
}

interface HelmCommand {
  readonly args: readonly string[];
  readonly stdin?: string;
  readonly onBuildStep?: BuildObserver;
}

async function helm(cluster: AttachedCluster, { args, stdin, onBuildStep }: HelmCommand): Promise<void> {
  const tools = await ensureTools(['helm'], onBuildStep === undefined ? {} : { onStep: onBuildStep });
  const where = [`--namespace=${PLATFORM_NAMESPACE}`, `--kubeconfig=${cluster.kubeconfigPath}`];
  const result = await runProgram(tools.helm, {
    args: [...args, ...where, '--timeout=60s'],
    ...(stdin !== undefined && { stdin }),
    env: helmEnvironment(cluster.description.dataDir),
  });
  if (result.code !== 0) throw new Error(`Helm could not ${args[0]} the chart:\n${result.stderr.trim()}`);
}

/** Helm on folders of its own: what its user has configured must not change what is installed. */
export function helmEnvironment(folder: string): Readonly<Record<string, string>> {
  return {
    PATH: process.env['PATH'] ?? '',
    // Without one, Helm's client keeps its cache in the current folder.
    HOME: folder,
    HELM_CACHE_HOME: join(folder, 'helm/cache'),
    HELM_CONFIG_HOME: join(folder, 'helm/config'),
    HELM_DATA_HOME: join(folder, 'helm/data'),
  };
}
