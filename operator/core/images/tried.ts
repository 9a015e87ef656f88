// SPDX-License-Identifier: Apache-2.0
import type { PolicyReplicaStatus } from '#crds/v1alpha1/policy-replica';
import type { KubeObject } from '../object.ts';

/** An image that admission has refused by what was known of it. */
export interface TriedImage {
  readonly namespace: string;
  readonly image: string;
  readonly atMs: number;
}

/** Images that a replica has refused lately. */
export function triedBy(replica: KubeObject): readonly TriedImage[] {
  const { images = [] } = (replica['status'] ?? {}) as PolicyReplicaStatus;
  return images.flatMap(({ namespace, image, refusedAt }) =>
    refusedAt === undefined ? [] : [{ namespace, image, atMs: Date.parse(refusedAt) }],
  );
}

/** When an image was last refused, as far as replicas tell. */
export function triedAt(
  replicas: readonly KubeObject[],
  { namespace, image }: Omit<TriedImage, 'atMs'>,
): Date | undefined {
  const times = replicas
    .flatMap((replica) => triedBy(replica))
    .filter((one) => one.namespace === namespace && one.image === image && !Number.isNaN(one.atMs))
    .map(({ atMs }) => atMs);
  return times.length === 0 ? undefined : new Date(Math.max(...times));
}
