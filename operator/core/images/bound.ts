// SPDX-License-Identifier: Apache-2.0
import { MAX_VERDICT_POLICIES } from '#crds/v1alpha1/image-verdict';
import type { ImagePolicyFacts } from './policy.ts';

/** Of the platform, about one image: what is left of the bound is for tenants, so that they can have some. */
const MAX_CLUSTER_POLICIES = 48;

/**
 * Of the policies that are about an image those that it is looked at by: what a tenant adds never takes the place of what the platform asks. The
 * order is of names, so that the operator and admission leave out the same; an image does not pass what is left out.
 */
export function heldPolicies<T extends Pick<ImagePolicyFacts, 'kind' | 'name'>>(
  policies: readonly T[],
): readonly T[] {
  const named = policies.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const ofPlatform = named.filter(({ kind }) => kind === 'ClusterImagePolicy').slice(0, MAX_CLUSTER_POLICIES);
  const ofTenant = named.filter(({ kind }) => kind === 'ImagePolicy');
  return [...ofPlatform, ...ofTenant.slice(0, MAX_VERDICT_POLICIES - ofPlatform.length)];
}
