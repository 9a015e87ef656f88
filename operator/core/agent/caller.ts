// SPDX-License-Identifier: Apache-2.0
import { LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { KubeObject, ObjectMeta } from '../object.ts';
import { type Removal, removalOf } from '../plan.ts';
import { RUN_CALLER } from '../tenant/roles.ts';
import type { Tenant } from '../tenant/tenant.ts';
import type { Agent } from './agent.ts';
import { controlledBy } from './orphan.ts';

/** What the names of accounts begin with whose tokens Runs call others with. The rest is the name of their Agent. */
export const CALLER_PREFIX = 'nexusos-call-';

const RBAC = 'rbac.authorization.k8s.io';

/** What there is of the account of an Agent whose Runs may call others. */
export interface CallerObserved {
  readonly serviceAccount: KubeObject | undefined;
  readonly roleBinding: KubeObject | undefined;
}

/** Nothing of it. */
export const NO_CALLER: CallerObserved = { serviceAccount: undefined, roleBinding: undefined };

/** Name of the ServiceAccount of pods of an Agent whose Runs may call others, and of the RoleBinding that gives it its rights. */
export function callerName({ metadata }: Agent): string {
  return `${CALLER_PREFIX}${metadata.name}`;
}

/** User name of who calls, as the API server knows it. */
export function callerUser(agent: Agent): string {
  return `system:serviceaccount:${agent.metadata.namespace}:${callerName(agent)}`;
}

/** What is still to be made of the account of an Agent; nothing for one whose Runs call nobody. */
export function missingCaller(
  agent: Agent,
  { tenant, caller }: { readonly tenant: Tenant | undefined; readonly caller: CallerObserved },
): readonly KubeObject[] {
  const isWanted = agent.spec.calls !== undefined && agent.metadata.deletionTimestamp === undefined;
  if (!isWanted || tenant === undefined) return [];
  return [
    ...(caller.serviceAccount === undefined ? [serviceAccount(agent, tenant)] : []),
    ...(caller.roleBinding === undefined ? [roleBinding(agent, tenant)] : []),
  ];
}

/** What is there of the account of an Agent that calls nobody any more: first its rights. */
export function unwantedCaller(
  agent: Agent,
  { roleBinding: binding, serviceAccount: account }: CallerObserved,
): readonly Removal[] {
  if (agent.spec.calls !== undefined) return [];
  return [binding, account]
    .filter((one) => one !== undefined && isOfAgent(one, agent))
    .map((one) => ({ ...removalOf(one as KubeObject), propagation: 'Background' }));
}

function isOfAgent({ metadata }: KubeObject, agent: Agent): boolean {
  const isControlled = metadata.ownerReferences?.some((one) => one.uid === agent.metadata.uid) === true;
  return isControlled && metadata.deletionTimestamp === undefined;
}

function serviceAccount(agent: Agent, tenant: Tenant): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: metadataOf(agent, tenant),
    automountServiceAccountToken: false,
  };
}

function roleBinding(agent: Agent, tenant: Tenant): KubeObject {
  const { namespace = '' } = agent.metadata;
  return {
    apiVersion: `${RBAC}/v1`,
    kind: 'RoleBinding',
    metadata: metadataOf(agent, tenant),
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: RUN_CALLER },
    subjects: [{ kind: 'ServiceAccount', name: callerName(agent), namespace }],
  };
}

function metadataOf(agent: Agent, tenant: Tenant): ObjectMeta {
  const { namespace = '', name } = agent.metadata;
  return {
    name: callerName(agent),
    namespace,
    labels: {
      [LABELS.managedBy]: MANAGED_BY,
      [LABELS.tenant]: tenant.metadata.name,
      [LABELS.agent]: name,
    },
    ownerReferences: [controlledBy(agent)],
  };
}
