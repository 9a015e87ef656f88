// SPDX-License-Identifier: Apache-2.0
import { LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { Agent } from '../../core/agent/agent.ts';
import { CALLER_PREFIX, type CallerObserved, callerName } from '../../core/agent/caller.ts';
import type { KubeObject } from '../../core/object.ts';
import type { Key, PolicyRule, Reader, Watch } from '../../runtime/controller.ts';
import { ROLE_BINDINGS, SERVICE_ACCOUNTS } from '../../core/resources.ts';

/** Accounts by which Runs call others, among all that NexusOS makes: watched for tenants as well, so it costs nothing. */
export const CALLER_WATCHES: readonly Watch[] = [SERVICE_ACCOUNTS, ROLE_BINDINGS].map((resource) => ({
  resource,
  labelSelector: `${LABELS.managedBy}=${MANAGED_BY}`,
  keys: agentOfCaller,
}));

/** What is needed to make them. */
export const CALLER_RBAC: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['create', 'delete'] },
  { apiGroups: ['rbac.authorization.k8s.io'], resources: ['rolebindings'], verbs: ['create', 'delete'] },
];

/** The account of an Agent, as watches tell of it. */
export function observeCaller(agent: Agent, read: Reader): CallerObserved {
  const { namespace = '' } = agent.metadata;
  const key = { namespace, name: callerName(agent) };
  return { serviceAccount: read.get(SERVICE_ACCOUNTS, key), roleBinding: read.get(ROLE_BINDINGS, key) };
}

function agentOfCaller({ metadata }: KubeObject): readonly Key[] {
  const { name, namespace } = metadata;
  if (namespace === undefined || !name.startsWith(CALLER_PREFIX)) return [];
  return [{ namespace, name: name.slice(CALLER_PREFIX.length) }];
}
