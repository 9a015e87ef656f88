// SPDX-License-Identifier: Apache-2.0
import { API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { Agent } from '../agent.ts';
import type { RevisionsObserved } from '../revision.ts';
import { type AgentRevision, revisionName, templateDigest, templateOf } from '../template.ts';

/** The revision of what `agent` is now. */
export function revisionOf({ metadata, spec }: Agent, revision = 1): AgentRevision {
  const { name: agent, namespace = '', uid = '' } = metadata;
  const template = templateOf(spec);
  const digest = templateDigest(template);
  const name = revisionName(agent, digest);
  const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.agent]: agent };
  const owner = { apiVersion: API_VERSION, kind: 'Agent', name: agent, uid, controller: true };
  return {
    apiVersion: API_VERSION,
    kind: 'AgentRevision',
    metadata: { name, namespace, uid: `${name}-uid`, labels, ownerReferences: [owner] },
    spec: { agent, revision, digest, template },
  };
}

/** That revision is all there is. */
export function settledRevisions(agent: Agent): RevisionsObserved {
  return { revisions: [revisionOf(agent)], unused: new Set() };
}
