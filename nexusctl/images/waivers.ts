// SPDX-License-Identifier: Apache-2.0
import { IMAGE_WAIVER, type ImageWaiverSpec } from '#crds/v1alpha1/image-waiver';
import { ANNOTATIONS, GROUP } from '#crds/v1alpha1/names';
import { waiversFor } from '#operator/core/images/waivers';
import type { KubeObject } from '#operator/core/object';
import type { Reference } from '#operator/core/oci/reference';
import type { Waiver } from '#operator/core/supply-chain/requirement';
import { CommandError, EXIT } from '../cli/command.ts';
import type { ImageObjects } from './objects.ts';
import type { Place } from './place.ts';
import type { LocalPolicy } from './policies.ts';

/** What is waived of a policy for an image, and which waivers of it do not count, and why. */
export interface Waived {
  readonly waivers: readonly Waiver[];
  readonly notes: readonly string[];
}

/** Waivers as a cluster takes them. Without a place, those for some namespaces or tenants alone are not taken. */
export function waivedOf(
  known: ImageObjects,
  { facts }: LocalPolicy,
  at: { readonly reference: Reference; readonly place: Place | undefined },
): Waived {
  const objects = known.objects.filter((one) => isWaiver(one, known)).map(checked);
  const { reference, place } = at;
  const use = { reference, namespace: place?.namespace ?? '', tenant: place?.tenant };
  const waivers = waiversFor(objects, facts, use);
  const taken = new Set(waivers.map(({ name }) => name));
  const left = objects.filter(
    ({ metadata, spec }) =>
      (spec as ImageWaiverSpec).policies.includes(facts.name) && !taken.has(metadata.name),
  );
  const notes = left.map(
    (one) => `ImageWaiver ${one.metadata.name} is left out: ${whyNot(one, { ...at, facts })}`,
  );
  return { waivers, notes };
}

/** Of any other namespace than that of the platform they count for nothing. */
function isWaiver({ apiVersion, kind, metadata }: KubeObject, { platform }: ImageObjects): boolean {
  const { namespace = platform } = metadata;
  return apiVersion.startsWith(`${GROUP}/`) && kind === IMAGE_WAIVER.kind && namespace === platform;
}

function checked(object: KubeObject): KubeObject {
  const read = IMAGE_WAIVER.spec.safeParse(object['spec']);
  if (read.success) return { ...object, spec: read.data };
  throw new CommandError(
    EXIT.usage,
    `ImageWaiver ${object.metadata.name} does not fit its schema`,
    read.error.issues.map((one) => `spec.${one.path.map(String).join('.')}: ${one.message}`),
  );
}

interface Why {
  readonly facts: LocalPolicy['facts'];
  readonly place: Place | undefined;
}

function whyNot(waiver: KubeObject, { facts, place }: Why): string {
  if (facts.kind !== 'ClusterImagePolicy') return 'what a tenant asks of itself, nobody waives';
  if (waiver.metadata.deletionTimestamp !== undefined) return 'it is being deleted';
  const undecided = notApproved(waiver);
  if (undecided !== undefined) return undecided;
  const { subjects } = waiver['spec'] as ImageWaiverSpec;
  const isNarrow = subjects.namespaces !== undefined || subjects.tenants !== undefined;
  return isNarrow && place?.tenant === undefined
    ? 'it is for some namespaces or tenants alone: name the namespace by --namespace'
    : 'it is for other images, namespaces or tenants';
}

/** Two people have to stand for it. */
function notApproved({ metadata, spec }: KubeObject): string | undefined {
  const { approval } = spec as ImageWaiverSpec;
  if (approval === undefined) return 'nobody has approved it';
  if (approval.decision !== 'Approved') return 'it was rejected';
  const by = metadata.annotations?.[ANNOTATIONS.createdBy] ?? '';
  if (by === '')
    return `who asked for it is not known: the API server notes that in ${ANNOTATIONS.createdBy}; take it from the cluster, by kubectl get -o yaml`;
  return approval.by === undefined || approval.by === by
    ? 'who approves it must be somebody else'
    : undefined;
}
