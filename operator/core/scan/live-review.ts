// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject, Resource } from '../object.ts';
import type { RequestFacts } from '../policy/facts.ts';
import type { Operation, Review } from '../policy/review.ts';
import { factsOf, select } from '../policy/selection.ts';
import type { Snapshot, SnapshotRevision } from '../policy/snapshot.ts';
import { groupOf } from './scannable.ts';

/** A revision that is asked about an object, and what it is asked. */
export interface AskedRevision {
  readonly revision: SnapshotRevision;
  readonly review: Review;
  readonly facts: RequestFacts;
}

/**
 * An object that exists, as a request to make it would be: by nobody in particular, since who made it is not known any more. With UPDATE, as one that
 * leaves it as it is.
 */
export function liveReview(object: KubeObject, resource: Resource, operation: Operation): Review {
  const { name, namespace = '', uid = '' } = object.metadata;
  const group = groupOf(resource);
  const version = resource.apiVersion.split('/').at(-1) ?? '';
  return {
    uid,
    kind: { group, version, kind: resource.kind },
    resource: { group, version, resource: resource.plural },
    subResource: '',
    name,
    namespace,
    operation,
    userInfo: { username: '', groups: [] },
    object,
    ...(operation === 'UPDATE' && { oldObject: object }),
    dryRun: false,
  };
}

/** Who is asked about an object, by the very rules of admission: as one that is made, or where a revision judges only changes, changed. */
export function askedAbout(
  snapshot: Snapshot,
  object: KubeObject,
  resource: Resource,
): readonly AskedRevision[] {
  const asked = new Map<string, AskedRevision>();
  for (const operation of ['CREATE', 'UPDATE'] as const) {
    const review = liveReview(object, resource, operation);
    const facts = factsOf(snapshot, review, LABELS.tenant);
    if (facts.namespace === undefined) return [];
    for (const revision of select(snapshot, review, facts).deciding) {
      if (!asked.has(revision.key)) asked.set(revision.key, { revision, review, facts });
    }
  }
  return [...asked.values()];
}
