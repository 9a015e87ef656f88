// SPDX-License-Identifier: Apache-2.0
import { API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { isDeepEqual } from '../compare.ts';
import type { KubeObject, OwnerReference } from '../object.ts';
import { type Removal, removalOf } from '../plan.ts';
import type { Agent } from './agent.ts';
import { type AgentRevision, templateOf, wantedRevision } from './template.ts';

/** What becomes of a revision that nobody owns, and that has the name of the one which an Agent needs. */
export interface OrphanDecision {
  readonly replace: readonly KubeObject[];
  readonly remove: readonly Removal[];
}

/** What says that `agent` is the controller of a revision. */
export function controlledBy({ metadata }: Agent): OwnerReference {
  const { name, uid = '' } = metadata;
  // Not blocking: nobody who deletes the Agent in the foreground should need a permission on finalizers.
  return { apiVersion: API_VERSION, kind: 'Agent', name, uid, controller: true, blockOwnerDeletion: false };
}

/**
 * Whether `revision` is the one that `agent` needs, and was left by a namesake that was deleted without what it owned. Of the
 * template, which stores do not hold whole, only the digest is looked at.
 */
export function isOrphanFor({ metadata, spec }: AgentRevision, agent: Agent): boolean {
  const { labels, ownerReferences = [], deletionTimestamp } = metadata;
  const { name } = agent.metadata;
  const isFree = deletionTimestamp === undefined && !ownerReferences.some((one) => one.controller === true);
  const isOurs = labels?.[LABELS.managedBy] === MANAGED_BY && labels[LABELS.agent] === name;
  if (!isFree || !isOurs || spec.agent !== name) return false;
  const wanted = wantedRevision(agent);
  return metadata.name === wanted.name && spec.digest === wanted.digest;
}

/**
 * Adopts `orphan`, as controllers of Kubernetes adopt what their selector finds: Runs that are bound to it go on. Where its
 * number is not above `last`, it would be given twice: then it makes room for another one. Undefined for what is not ours.
 */
export function planOrphan(
  agent: Agent,
  { orphan, last }: { readonly orphan: AgentRevision | undefined; readonly last: number },
): OrphanDecision | undefined {
  if (orphan === undefined || !isOrphanFor(orphan, agent)) return undefined;
  // Anybody can write a digest beside a template.
  if (!isDeepEqual(orphan.spec.template, templateOf(agent.spec))) return undefined;
  if (orphan.spec.revision <= last) {
    return { replace: [], remove: [{ ...removalOf(orphan), propagation: 'Background' }] };
  }
  const { ownerReferences = [] } = orphan.metadata;
  const metadata = { ...orphan.metadata, ownerReferences: [...ownerReferences, controlledBy(agent)] };
  return { replace: [{ ...orphan, metadata }], remove: [] };
}
