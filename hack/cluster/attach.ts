// SPDX-License-Identifier: Apache-2.0
import { type AttachedCluster, connectCluster } from './attached-cluster.ts';
import { startCluster } from './cluster.ts';
import { readClusterDescription, sharedClusterVariable } from './description.ts';

let attached: Promise<AttachedCluster> | undefined;

/**
 * The control plane that tests share: the one that NEXUSOS_TEST_CLUSTER describes, or, when a test is run
 * by itself, one of this process's own that ends with it. Asked again, it is the same.
 */
export function attachCluster(): Promise<AttachedCluster> {
  attached ??= attach();
  return attached;
}

async function attach(): Promise<AttachedCluster> {
  const path = process.env[sharedClusterVariable];
  if (path === undefined || path === '') {
    return startCluster();
  }
  return connectCluster(await readClusterDescription(path));
}
