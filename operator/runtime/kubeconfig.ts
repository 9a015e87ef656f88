// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
// By a file of its own, so that a bundle takes of the library what reads kubeconfigs, and not its 15 MB of models.
import { KubeConfig } from '@kubernetes/client-node';

/** Which kubeconfig is meant. */
export interface KubeconfigChoice {
  /** Files that count together; of what two of them have, the first counts, as kubectl does. Absent: that of the user. */
  readonly paths?: readonly string[];
  /** Absent: the current one. */
  readonly context?: string | undefined;
}

/**
 * Reads a kubeconfig, and chooses the context.
 *
 * @throws Error in words for people: which files, which contexts there are.
 */
export function openKubeconfig({ paths = [userFile()], context }: KubeconfigChoice): KubeConfig {
  const there = paths.filter((path) => existsSync(path));
  if (there.length === 0) throw new Error(`there is none: looked for ${paths.join(', ')}`);
  const config = merged(there.map(read));
  if (context !== undefined) config.setCurrentContext(context);
  const names = config.contexts.map(({ name }) => name);
  const chosen = config.currentContext;
  if (!names.includes(chosen)) {
    const found = chosen === '' ? 'no context is chosen' : `there is no context ${chosen}`;
    throw new Error(`${found}; there are ${names.join(', ') || 'none'}`);
  }
  checkCluster(config, chosen);
  return config;
}

function checkCluster(config: KubeConfig, context: string): void {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`context ${context} names a cluster that is not there`);
  if (cluster.proxyUrl !== undefined && cluster.proxyUrl !== '')
    throw new Error(
      `cluster ${cluster.name} has a proxy-url, which is not supported: forward a port, and name that as its server`,
    );
}

function userFile(): string {
  return join(homedir(), '.kube', 'config');
}

function read(path: string): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromFile(path);
  } catch (error) {
    throw new Error(`${path} is no kubeconfig: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  return config;
}

/** The library's own way lets the last one count, and takes what two have for an error. */
function merged(configs: readonly KubeConfig[]): KubeConfig {
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: firsts(configs.flatMap((one) => one.clusters)),
    users: firsts(configs.flatMap((one) => one.users)),
    contexts: firsts(configs.flatMap((one) => one.contexts)),
    currentContext: configs.map((one) => one.currentContext).find((one) => (one ?? '') !== '') ?? '',
  });
  return config;
}

function firsts<T extends { readonly name: string }>(list: readonly T[]): T[] {
  return list.filter(({ name }, index) => list.findIndex((one) => one.name === name) === index);
}
