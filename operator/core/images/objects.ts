// SPDX-License-Identifier: Apache-2.0
import type { ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import type { KubeObject } from '../object.ts';
import type { ImagePolicyFacts } from './policy.ts';

/** A policy on images, of either kind. */
export type ImagePolicyObject = KubeObject & { readonly spec: ImagePolicySpec };

/** What has to be known of a policy when images are judged. */
export function imagePolicyFacts(object: KubeObject): ImagePolicyFacts {
  const { kind, metadata, spec } = object as ImagePolicyObject;
  return {
    kind: kind === 'ImagePolicy' ? 'ImagePolicy' : 'ClusterImagePolicy',
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid ?? '',
    generation: metadata.generation ?? 0,
    images: spec.images,
    namespaceSelector: spec.namespaceSelector,
    enforcement: spec.enforcement,
    unknown: spec.unknown,
    maxAgeSeconds: spec.maxAgeSeconds,
  };
}
