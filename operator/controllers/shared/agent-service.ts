// SPDX-License-Identifier: Apache-2.0
import { AGENT_SERVICE_REASONS } from '#crds/v1alpha1/agent-service';
import { LABELS } from '#crds/v1alpha1/names';
import { type Agent, agentKey } from '../../core/agent/agent.ts';
import { SERVICE_KINDS, type ServiceKind } from '../../core/agent/service/objects.ts';
import type { ServiceObserved } from '../../core/agent/service/observed.ts';
import { withoutPodSpec } from '../../core/agent/service/trouble.ts';
import { serviceOf } from '../../core/agent/template.ts';
import { findCondition, READY } from '../../core/conditions.ts';
import type { KubeObject, Resource } from '../../core/object.ts';
import { RESOURCE_QUOTA_NAME } from '../../core/quota/refusals.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import {
  type IndexDeclaration,
  type Key,
  keyOf,
  type PolicyRule,
  type Reader,
  type Watch,
} from '../../runtime/controller.ts';
import { find } from './find.ts';
import {
  AGENTS,
  AUTOSCALERS,
  DEPLOYMENTS,
  DISRUPTION_BUDGETS,
  NAMESPACES,
  RESOURCE_QUOTAS,
  SERVICES,
} from '../../core/resources.ts';
import { PODS } from './workloads.ts';

const RESOURCES: Readonly<Record<ServiceKind, Resource>> = {
  Service: SERVICES,
  Deployment: DEPLOYMENTS,
  PodDisruptionBudget: DISRUPTION_BUDGETS,
  HorizontalPodAutoscaler: AUTOSCALERS,
};

const OF_SERVICES = LABELS.service;

/** Pods of services by `agentKey`. */
export const SERVICE_INDEX: IndexDeclaration = {
  resource: PODS,
  name: 'pods-of-service',
  of: ({ metadata }) => {
    const agent = metadata.labels?.[OF_SERVICES];
    return agent === undefined ? [] : [agentKey(metadata.namespace ?? '', agent)];
  },
};

/** What stands for Agents of shape service: of those alone, so that memory grows with them. */
export const SERVICE_WATCHES: readonly Watch[] = [
  ...Object.values(RESOURCES).map((resource) => ({
    resource,
    labelSelector: OF_SERVICES,
    keys: agentOf,
  })),
  { resource: PODS, labelSelector: OF_SERVICES, keys: agentOf, trim: withoutPodSpec },
  // Without selector, as it is watched for the ledger.
  { resource: RESOURCE_QUOTAS, keys: servicesWithoutRoom },
];

const VERBS = ['create', 'patch', 'delete'];

/** What is needed to make services; reading follows from the watches. */
export const SERVICE_RBAC: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['services'], verbs: VERBS },
  { apiGroups: ['apps'], resources: ['deployments'], verbs: VERBS },
  { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers'], verbs: VERBS },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: VERBS },
];

/**
 * What stands for an Agent, and what is in its place. What no watch has told of may be somebody else's, so of that the API server
 * is asked, and only while it is wanted: a service that stands costs no request.
 *
 * @throws ApiError when the API server cannot say.
 */
export async function observeService(
  agent: Agent,
  ledger: Ledger | undefined,
  read: Reader,
): Promise<ServiceObserved> {
  const key = keyOf(agent);
  const wanted = ledger === undefined ? NONE : wantedKinds(agent);
  const found = await Promise.all(
    SERVICE_KINDS.map(async (kind) => {
      const resource = RESOURCES[kind];
      const object = wanted.has(kind) ? await find(resource, key, read) : read.get(resource, key);
      return [kind, object] as const;
    }),
  );
  const objects = new Map(found.flatMap(([kind, object]) => (object === undefined ? [] : [[kind, object]])));
  const isAlone = ledger === undefined && objects.size > 0;
  return {
    objects,
    pods: read.list(PODS, { index: SERVICE_INDEX.name, value: agentKey(key.namespace ?? '', key.name) }),
    quota: read.get(RESOURCE_QUOTAS, { namespace: key.namespace ?? '', name: RESOURCE_QUOTA_NAME }),
    isReleased: isAlone && (await isReleased(key.namespace ?? '', read)),
  };
}

const NONE: ReadonlySet<ServiceKind> = new Set();

function wantedKinds({ metadata, spec }: Agent): ReadonlySet<ServiceKind> {
  if (spec.shape !== 'service' || metadata.deletionTimestamp !== undefined) return NONE;
  const isScaled = serviceOf(spec).autoscaling !== undefined;
  return new Set(SERVICE_KINDS.filter((kind) => isScaled || kind !== 'HorizontalPodAutoscaler'));
}

/** That no ledger is known proves nothing: what runs is ended only where the namespace itself says that it is no tenant's. */
async function isReleased(name: string, read: Reader): Promise<boolean> {
  const namespace = await read.live(NAMESPACES, { name });
  const { labels = {}, deletionTimestamp } = namespace?.metadata ?? {};
  return namespace !== undefined && deletionTimestamp === undefined && labels[LABELS.tenant] === undefined;
}

function agentOf({ metadata }: KubeObject): readonly Key[] {
  const name = metadata.labels?.[OF_SERVICES];
  const { namespace } = metadata;
  return name === undefined || namespace === undefined ? [] : [{ namespace, name }];
}

/** Services that wait for room in quota: it may be there now. */
function servicesWithoutRoom({ metadata }: KubeObject, read: Reader): readonly Key[] {
  const { name, namespace = '' } = metadata;
  if (name !== RESOURCE_QUOTA_NAME) return [];
  const agents = read.list(AGENTS, { namespace }) as readonly Agent[];
  return agents.filter(isWithoutRoom).map(keyOf);
}

function isWithoutRoom({ status }: Agent): boolean {
  const ready = findCondition(status?.conditions ?? [], READY);
  return ready?.reason === AGENT_SERVICE_REASONS.QuotaExceeded;
}
