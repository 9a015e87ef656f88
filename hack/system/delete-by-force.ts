// SPDX-License-Identifier: Apache-2.0
import type { AttachedCluster } from '../cluster/attached-cluster.ts';

/** Deletes a pod by force, and does not wait: who does that says that nobody will tell of its end. Throws with what kubectl says when it cannot. */
export async function deletePodByForce(
  cluster: AttachedCluster,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<void> {
  const how = ['--grace-period=0', '--force', '--wait=false'];
  const { code, stderr } = await cluster.kubectl(['delete', 'pod', name, '-n', namespace, ...how]);
  if (code !== 0) throw new Error(stderr);
}
