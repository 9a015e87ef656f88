// SPDX-License-Identifier: Apache-2.0
import type { PolicyPackSpec, PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import type { KubeObject } from '../object.ts';

/** A PolicyPack after defaulting. */
export type PolicyPack = KubeObject & { readonly spec: PolicyPackSpec; readonly status?: PolicyPackStatus };

/** A PolicyPackRevision, as the API server holds it. */
export type PolicyPackRevision = KubeObject & { readonly spec: PolicyPackRevisionSpec };

/** Whose requests a pack judges, by the namespace that it is in. */
export type PackPlace =
  | { readonly kind: 'platform' }
  | { readonly kind: 'tenant'; readonly tenant: string }
  /** The namespace is neither. */
  | { readonly kind: 'nobody' };

/** Names a pack among those of all namespaces. */
export function packKey({ metadata }: Pick<KubeObject, 'metadata'>): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
