// SPDX-License-Identifier: Apache-2.0
import type { Reference } from '../oci/reference.ts';
import { type LabelSelector, matchesGlob, selects } from '../policy/selector.ts';

/** A policy on images, as far as it has to be known when a pod is judged. */
export interface ImagePolicyFacts {
  readonly kind: 'ClusterImagePolicy' | 'ImagePolicy';
  /** Of an ImagePolicy: the one namespace that it is for. */
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** Names of repositories with their registry, where `*` stands for any text. */
  readonly images: readonly string[];
  /** Of a ClusterImagePolicy: the namespaces that it is for; undefined: all. */
  readonly namespaceSelector?: LabelSelector | undefined;
  /** Whether what it refuses does not run, or is warned of. */
  readonly enforcement: 'Enforce' | 'Warn';
  /** What becomes of an image of which it cannot be told whether it is as asked. */
  readonly unknown: 'Deny' | 'Allow';
  /** How long a verdict counts from when it was found. */
  readonly maxAgeSeconds: number;
}

/** Where an image is to be used. */
export interface ImagePlace {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Policies that are for a namespace. */
export function policiesFor(
  policies: readonly ImagePolicyFacts[],
  { namespace, labels }: ImagePlace,
): readonly ImagePolicyFacts[] {
  return policies.filter((policy) =>
    policy.kind === 'ImagePolicy'
      ? policy.namespace === namespace
      : selects(policy.namespaceSelector, labels),
  );
}

/** Whether a policy asks something of an image. A tag says nothing of who made it, so it is no part of what is looked at. */
export function isAbout(
  { images }: Pick<ImagePolicyFacts, 'images'>,
  { registry, repository }: Pick<Reference, 'registry' | 'repository'>,
): boolean {
  const name = `${registry}/${repository}`;
  return images.some((glob) => matchesGlob(glob, name));
}

/** How a policy is named to people. */
export function nameOf({ kind, name }: Pick<ImagePolicyFacts, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
}
