// SPDX-License-Identifier: Apache-2.0
import type { ImageWaiverStatus } from '#crds/v1alpha1/image-waiver';
import { type ImageWaiverObject, planImageWaiver, type WaiverSeen } from '../core/images/waiver-plan.ts';
import { CLUSTER_IMAGE_POLICIES, IMAGE_WAIVERS } from '../core/resources.ts';
import { type Controller, keyOf } from '../runtime/controller.ts';

/** The controller of ImageWaivers: each tells whether it counts, so that one for a policy that nobody made, or that is called otherwise, says so. */
export function imageWaiverController({
  platformNamespace,
}: {
  readonly platformNamespace: string;
}): Controller<ImageWaiverObject, WaiverSeen, ImageWaiverStatus> {
  return {
    name: 'image-waiver',
    resource: IMAGE_WAIVERS,
    watches: [
      {
        resource: CLUSTER_IMAGE_POLICIES,
        keys: (_, read) => read.list(IMAGE_WAIVERS).map(keyOf),
        // What a policy asks makes no difference, only that it is there.
        patienceMs: ({ old, object }) => (old === undefined || object === undefined ? 0 : Infinity),
      },
    ],
    rbac: [],
    observe: ({ spec }, read) =>
      Promise.resolve({
        platformNamespace,
        missing: spec.policies.filter((name) => read.get(CLUSTER_IMAGE_POLICIES, { name }) === undefined),
      }),
    plan: planImageWaiver,
  };
}
