// SPDX-License-Identifier: Apache-2.0
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A running cluster, told to another process: enough to use it, not to own it. The data folder holds the
 * keys, so who may read that may do everything.
 */
export interface ClusterDescription {
  /** Names its record among the running clusters of this user. */
  readonly id: string;
  readonly name: string;
  readonly url: string;
  /** The authority's certificate, PEM in base64, as kubeconfig files and webhook configurations want it. */
  readonly caData: string;
  /** The administrator's. */
  readonly kubeconfigPath: string;
  /** Where the API server writes one JSON line per request; undefined without audit. */
  readonly auditLog?: string;
  readonly dataDir: string;
  readonly socketPath: string;
  readonly kubectlPath: string;
  /** Such as `v1.36.3`. */
  readonly kubernetesVersion: string;
  /** ISO 8601. */
  readonly startedAt: string;
}

/** The environment variable that tells a test where the description of the shared cluster is. */
export const sharedClusterVariable = 'NEXUSOS_TEST_CLUSTER';

/** Where a cluster keeps its own description. */
export function descriptionPath(dataDir: string): string {
  return join(dataDir, 'cluster.json');
}

/** Writes a description, whole or not at all, readable by its owner only. */
export async function writeClusterDescription(path: string, description: ClusterDescription): Promise<void> {
  const unfinished = `${path}.${process.pid}.unfinished`;
  await writeFile(unfinished, `${JSON.stringify(description, undefined, 2)}\n`, { mode: 0o600 });
  await rename(unfinished, path);
}

/** Reads what `writeClusterDescription` wrote. */
export async function readClusterDescription(path: string): Promise<ClusterDescription> {
  return JSON.parse(await readFile(path, 'utf8')) as ClusterDescription;
}
