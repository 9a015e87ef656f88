// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { isAbout } from '#operator/core/images/policy';
import type { Reference } from '#operator/core/oci/reference';
import { selects } from '#operator/core/policy/selector';
import { type Call, CommandError, EXIT, flagValue } from '../cli/command.ts';
import type { ImageObjects } from './objects.ts';
import type { LocalPolicy } from './policies.ts';

/** The namespace that an image is to run in. */
export interface Place {
  readonly namespace: string;
  /** Undefined where files say nothing of it. */
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly tenant: string | undefined;
}

/** The flag that says where an image is to run. */
export const NAMESPACE_FLAG = {
  name: 'namespace',
  value: 'NAME',
  what: 'where the image is to run: by policies and waivers for it, its own among them',
} as const;

/** The namespace that is named, with what is known of it; undefined where none is. */
export function placeOf(call: Call, { objects, isOfCluster }: ImageObjects): Place | undefined {
  const namespace = flagValue(call, NAMESPACE_FLAG.name);
  if (namespace === undefined) return undefined;
  const found = objects.find(({ kind, metadata }) => kind === 'Namespace' && metadata.name === namespace);
  const labels = found === undefined ? undefined : (found.metadata.labels ?? {});
  const tenant = labels?.[LABELS.tenant];
  if (isOfCluster && tenant === undefined)
    throw new CommandError(
      EXIT.usage,
      `namespace ${namespace} is no tenant's: policies on images are for those of tenants, and nothing is asked of it`,
    );
  return { namespace, labels, tenant };
}

/** A policy that an image is verified by. */
export interface AskedPolicy extends LocalPolicy {
  readonly notes: readonly string[];
}

/** Policies that ask something of an image, and why the others do not. */
export interface Choice {
  readonly asked: readonly AskedPolicy[];
  readonly others: readonly string[];
}

/** Chooses policies as a cluster does, as far as the place is known; what is not known does not leave one out. */
export function choose(
  policies: readonly LocalPolicy[],
  reference: Reference,
  place: Place | undefined,
): Choice {
  const asked: AskedPolicy[] = [];
  const others: string[] = [];
  for (const policy of policies) {
    const { facts, name } = policy;
    const why = isAbout(facts, reference) ? notFor(policy, place) : `is about ${facts.images.join(', ')}`;
    if (why === undefined) asked.push({ ...policy, notes: notesOn(policy, place) });
    else others.push(`${name} ${why}`);
  }
  return { asked, others };
}

function notFor({ facts }: LocalPolicy, place: Place | undefined): string | undefined {
  if (place === undefined) return undefined;
  const { namespace, labels } = place;
  if (facts.kind === 'ImagePolicy') {
    const isOther = facts.namespace !== undefined && facts.namespace !== namespace;
    return isOther ? `is for namespace ${facts.namespace}` : undefined;
  }
  if (labels === undefined || selects(facts.namespaceSelector, labels)) return undefined;
  return `does not select namespace ${namespace} by its namespaceSelector`;
}

function notesOn({ facts }: LocalPolicy, place: Place | undefined): readonly string[] {
  if (facts.kind === 'ImagePolicy' && facts.namespace !== undefined && place === undefined)
    return [`it is for namespace ${facts.namespace} alone`];
  if (facts.namespaceSelector === undefined || place?.labels !== undefined) return [];
  return [
    place === undefined
      ? 'it is for the namespaces that its namespaceSelector selects: name one by --namespace'
      : `whether its namespaceSelector selects ${place.namespace} is not known: have the Namespace, with its labels, among the files`,
  ];
}
