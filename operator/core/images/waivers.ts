// SPDX-License-Identifier: Apache-2.0
import type { ImageWaiverSpec } from '#crds/v1alpha1/image-waiver';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import type { Reference } from '../oci/reference.ts';
import { isApprovedByAnother } from '../policy/exemption.ts';
import { matchesGlob } from '../policy/selector.ts';
import type { Waiver } from '../supply-chain/requirement.ts';
import type { ImagePolicyFacts } from './policy.ts';

/** Where an image is used that a waiver may be for. */
export interface WaivedUse {
  readonly reference: Pick<Reference, 'registry' | 'repository'>;
  readonly namespace: string;
  readonly tenant: string | undefined;
}

/** Waivers of one image and one policy: beyond, the ones that run out first are left out. */
const MAX_WAIVERS = 256;

/**
 * What is waived of a policy for an image, by ImageWaivers of the namespace of the platform. Those that have run out are among them: where one would
 * have sufficed, that is the reason. What a tenant asks of itself, nobody waives.
 */
export function waiversFor(
  objects: readonly KubeObject[],
  policy: Pick<ImagePolicyFacts, 'kind' | 'name'>,
  use: WaivedUse,
): readonly Waiver[] {
  if (policy.kind !== 'ClusterImagePolicy') return [];
  return objects
    .filter((one) => one.metadata.deletionTimestamp === undefined && counts(one))
    .filter(({ spec }) => isFor(spec as ImageWaiverSpec, policy, use))
    .map(waiverOf)
    .toSorted((a, b) => Date.parse(b.expires) - Date.parse(a.expires) || byText(a.name, b.name))
    .slice(0, MAX_WAIVERS);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** Two people stand for it; when it counts is asked where it is needed. */
function counts({ metadata, spec }: KubeObject): boolean {
  const { approval } = spec as ImageWaiverSpec;
  return isApprovedByAnother({ approval, requestedBy: metadata.annotations?.[ANNOTATIONS.createdBy] });
}

function isFor(
  { policies, subjects }: ImageWaiverSpec,
  policy: Pick<ImagePolicyFacts, 'name'>,
  { reference, namespace, tenant }: WaivedUse,
): boolean {
  const { images, namespaces, tenants } = subjects;
  // One that names nothing is for nothing.
  if (Object.values(subjects).every((one) => one === undefined)) return false;
  const name = `${reference.registry}/${reference.repository}`;
  return (
    policies.includes(policy.name) &&
    (images === undefined || images.some((glob) => matchesGlob(glob, name))) &&
    isListed(namespaces, namespace) &&
    isListed(tenants, tenant)
  );
}

function isListed(list: readonly string[] | undefined, value: string | undefined): boolean {
  return list === undefined || (value !== undefined && list.includes(value));
}

function waiverOf({ metadata, spec }: KubeObject): Waiver {
  const { vulnerability, purl, maxScore, notBefore, expiresAt } = spec as ImageWaiverSpec;
  return {
    name: metadata.name,
    vulnerability,
    ...(purl !== undefined && { purl }),
    ...(maxScore !== undefined && { maxScoreTenths: Math.round(Number(maxScore) * 10) }),
    ...(notBefore !== undefined && { notBefore }),
    expires: expiresAt,
  };
}
