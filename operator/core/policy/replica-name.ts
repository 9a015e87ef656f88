// SPDX-License-Identifier: Apache-2.0

/** What names of replicas of the admission process, and of their Leases, begin with. */
export const REPLICA_PREFIX = 'nexusos-webhooks';

/** The name under which a replica tells of itself: that of its pod, or one made of whatever its machine is called. */
export function replicaName(identity: string): string {
  const name = identity
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  const whole = name.startsWith(REPLICA_PREFIX) ? name : `${REPLICA_PREFIX}-${name}`;
  return whole.slice(0, 63).replace(/-+$/, '');
}
