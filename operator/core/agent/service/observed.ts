// SPDX-License-Identifier: Apache-2.0
import { API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { Condition, KubeObject, OwnerReference } from '../../object.ts';
import type { Agent } from '../agent.ts';
import { SERVICE_KINDS, type ServiceKind } from './objects.ts';

/** What was seen of what stands for an Agent. */
export interface ServiceObserved {
  /**
   * By kind: what has the name of the Agent. Of a kind that the Agent wants, none only when a direct read found none; of any
   * other, what a watch has told of.
   */
  readonly objects: ReadonlyMap<ServiceKind, KubeObject>;
  /** Pods of the service, as far as a watch has told of them. */
  readonly pods: readonly KubeObject[];
  /** Our ResourceQuota in the namespace. */
  readonly quota?: KubeObject | undefined;
  /** Whether the namespace, asked just now, is no tenant's: what stands there is taken away. */
  readonly isReleased: boolean;
}

/** Nothing stands, nor is in the way. */
export const NO_SERVICE: ServiceObserved = { objects: new Map(), pods: [], isReleased: false };

/** What an object in the place of one of ours is. */
export type Place =
  | { readonly kind: 'free' }
  | { readonly kind: 'ours'; readonly object: KubeObject }
  /** Going, or of a namesake that was deleted: it goes by itself. */
  | { readonly kind: 'leaving'; readonly object: KubeObject }
  /** Made by us for a namesake that was deleted without what it owned. */
  | { readonly kind: 'left'; readonly object: KubeObject }
  | { readonly kind: 'taken'; readonly object: KubeObject };

/** Whose the object is that has the place of one of ours. */
export function placeOf(agent: Agent, object: KubeObject | undefined): Place {
  if (object === undefined) return { kind: 'free' };
  const { ownerReferences = [], deletionTimestamp } = object.metadata;
  const controller = ownerReferences.find((one) => one.controller === true);
  const isOwn = controller !== undefined && controller.uid === agent.metadata.uid;
  if (!isOwn && !isMarked(object, agent)) return { kind: 'taken', object };
  if (deletionTimestamp !== undefined) return { kind: 'leaving', object };
  if (isOwn) return { kind: 'ours', object };
  return { kind: controller === undefined ? 'left' : kindUnder(controller, agent), object };
}

/** What has our marks and is controlled by something else. */
function kindUnder(controller: OwnerReference, agent: Agent): 'leaving' | 'taken' {
  return isNamesake(controller, agent) ? 'leaving' : 'taken';
}

/** Tenants can set none of these labels. */
function isMarked({ metadata: { labels } }: KubeObject, { metadata }: Agent): boolean {
  return labels?.[LABELS.managedBy] === MANAGED_BY && labels[LABELS.service] === metadata.name;
}

function isNamesake({ apiVersion, kind, name }: OwnerReference, { metadata }: Agent): boolean {
  return kind === 'Agent' && apiVersion === API_VERSION && name === metadata.name;
}

/** What stands for that very Agent. */
export function ownOf(agent: Agent, { objects }: ServiceObserved): readonly KubeObject[] {
  return SERVICE_KINDS.flatMap((kind) => {
    const place = placeOf(agent, objects.get(kind));
    return place.kind === 'ours' ? [place.object] : [];
  });
}

/** A Deployment, as far as it is read here. */
export interface DeploymentView {
  readonly generation: number;
  readonly observedGeneration: number;
  readonly desired: number;
  readonly replicas: number;
  readonly updated: number;
  readonly ready: number;
  readonly available: number;
  readonly conditions: readonly Pick<Condition, 'type' | 'status' | 'reason' | 'message'>[];
  /** Name of the AgentRevision that its pods are to be of. */
  readonly revision: string | undefined;
}

interface DeploymentFields {
  readonly spec?: {
    readonly replicas?: number;
    readonly template?: { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: DeploymentView['conditions'];
  };
}

const NO_PODS = {
  observedGeneration: 0,
  replicas: 0,
  updatedReplicas: 0,
  readyReplicas: 0,
  availableReplicas: 0,
  conditions: [],
} as const;

/** The numbers of a Deployment; what it does not say is none. */
export function viewOf(deployment: KubeObject): DeploymentView {
  const { metadata, spec, status } = deployment as KubeObject & DeploymentFields;
  const seen = { ...NO_PODS, ...status };
  return {
    generation: metadata.generation ?? 0,
    observedGeneration: seen.observedGeneration,
    desired: spec?.replicas ?? 1,
    replicas: seen.replicas,
    updated: seen.updatedReplicas,
    ready: seen.readyReplicas,
    available: seen.availableReplicas,
    conditions: seen.conditions,
    revision: spec?.template?.metadata?.labels?.[LABELS.revision],
  };
}

/** Whether all pods are of the template of the Deployment, as many as there should be, and take requests. */
export function isRolledOut(view: DeploymentView): boolean {
  const { desired, observedGeneration, generation, updated, replicas, available } = view;
  return (
    observedGeneration >= generation && updated === desired && replicas === desired && available === desired
  );
}
