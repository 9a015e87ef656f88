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
 * The one among `revisions` that `agent` needs, and that was left by a namesake which was deleted without what it owned. Of the
 * template, which stores do not hold whole, only the digest is looked at; it is taken once, since templates can be large.
 */
export function orphanFor(agent: Agent, revisions: readonly AgentRevision[]): AgentRevision | undefined {
  const left = revisions.filter((one) => isLeft(one, agent.metadata.name));
  if (left.length === 0) return undefined;
  const { name, digest } = wantedRevision(agent);
  return left.find(({ metadata, spec }) => metadata.name === name && spec.digest === digest);
}

/** Whether a revision is said by us to be of an Agent of that name, and nothing controls it. */
function isLeft({ metadata, spec }: AgentRevision, agentName: string): boolean {
  const { labels, ownerReferences = [], deletionTimestamp } = metadata;
  const isFree = deletionTimestamp === undefined && !ownerReferences.some((one) => one.controller === true);
  const isOurs = labels?.[LABELS.managedBy] === MANAGED_BY && labels[LABELS.agent] === agentName;
  return isFree && isOurs && spec.agent === agentName;
}

/**
 * Adopts `orphan`, as controllers of Kubernetes adopt what their selector finds: Runs that are bound to it go on. Where its
 * number is not above `last`, it would be given twice: then it makes room for another one. Undefined for what is not ours.
 */
export function planOrphan(
  agent: Agent,
  { orphan, last }: { readonly orphan: AgentRevision | undefined; readonly last: number },
): OrphanDecision | undefined {
  if (orphan === undefined || orphanFor(agent, [orphan]) === undefined) return undefined;
  // Anybody can write a digest beside a template.
  if (!isDeepEqual(orphan.spec.template, templateOf(agent.spec))) return undefined;
  if (orphan.spec.revision <= last) {
    return { replace: [], remove: [{ ...removalOf(orphan), propagation: 'Background' }] };
  }
  const { ownerReferences = [] } = orphan.metadata;
  const metadata = { ...orphan.metadata, ownerReferences: [...ownerReferences, controlledBy(agent)] };
  return { replace: [{ ...orphan, metadata }], remove: [] };
}
