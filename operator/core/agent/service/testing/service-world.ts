// SPDX-License-Identifier: Apache-2.0
import type { AgentSpec } from '#crds/v1alpha1/agent';
import { LABELS } from '#crds/v1alpha1/names';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import { hashOf, stampHash } from '../../../compare.ts';
import type { KubeObject } from '../../../object.ts';
import type { Plan } from '../../../plan.ts';
import { makeAgent, makeTenant, NOW } from '../../../run/testing/make.ts';
import type { Agent } from '../../agent.ts';
import { type AgentObserved, planAgent } from '../../plan.ts';
import { settledRevisions } from '../../testing/revisions.ts';
import { desiredService, type ServiceKind } from '../objects.ts';
import type { ServiceObserved } from '../observed.ts';

/** Fields of `spec.service` that a case chooses. */
export type ServiceChoice = Partial<NonNullable<AgentSpec['service']>>;

/** What pods request, so that they can be scaled by it. */
export const CPU = {
  container: { image: 'registry.example.com/agent:1', resources: { requests: { cpu: '1' } } },
};
/** A service that is scaled. */
export const SCALED = {
  replicas: { min: 2, max: 9 },
  autoscaling: { cpuUtilizationPercent: 70 },
} satisfies ServiceChoice;

/** An Agent of shape service, with its active revision. */
export function makeService(service: ServiceChoice = {}, spec: Partial<AgentSpec> = {}): Agent {
  return makeAgent({ shape: 'service', service: service as NonNullable<AgentSpec['service']>, ...spec });
}

/** What is chosen of what stands. */
export interface Stood {
  /** Pods of the Deployment, and its status. */
  readonly desired?: number;
  readonly status?: object;
  readonly tenant?: Partial<TenantSpec>;
  readonly askedAgainAt?: string | undefined;
}

/** What stands for `agent`, as the API server holds it after it was made. */
export function standing(
  agent: Agent,
  { tenant = {}, askedAgainAt, ...pods }: Stood = {},
): ReadonlyMap<ServiceKind, KubeObject> {
  const revision = agent.status?.activeRevision?.name ?? '';
  const replicas = agent.spec.service?.replicas.min ?? 1;
  const made = desiredService({ agent, tenant: makeTenant(tenant), revision, replicas, askedAgainAt });
  return new Map(
    made.map((one) => {
      const stored = stampHash(one, hashOf(one));
      const metadata = { ...stored.metadata, uid: `${one.kind}-uid`, resourceVersion: '7', generation: 1 };
      const object = { ...stored, metadata };
      return [one.kind as ServiceKind, one.kind === 'Deployment' ? withPods(object, pods) : object];
    }),
  );
}

function withPods(
  deployment: KubeObject,
  { desired, status }: { readonly desired?: number; readonly status?: object },
): KubeObject {
  const spec = deployment['spec'] as { readonly replicas: number };
  const replicas = desired ?? spec.replicas;
  return { ...deployment, spec: { ...spec, replicas }, status: status ?? allReady(replicas) };
}

/** Status of a Deployment with so many pods, all of its template and ready. */
export function allReady(replicas: number, more: object = {}): object {
  const conditions = [
    { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: '' },
    { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', message: '' },
  ];
  return {
    observedGeneration: 1,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
    conditions,
    ...more,
  };
}

/** What is chosen of a pass. */
export interface Seen {
  readonly objects?: ReadonlyMap<ServiceKind, KubeObject>;
  readonly pods?: readonly KubeObject[];
  readonly tenant?: Partial<TenantSpec> | null;
  readonly isReleased?: boolean;
  readonly revisions?: 'none';
  readonly quota?: KubeObject;
}

/** What a pass over `agent` sees. */
export function observedOf(agent: Agent, seen: Seen = {}): AgentObserved {
  const { objects = new Map<ServiceKind, KubeObject>(), pods = [], isReleased = false, quota } = seen;
  const service: ServiceObserved = { objects, pods, isReleased, quota };
  const none = { revisions: [], unused: new Set<string>() };
  return {
    ...(seen.revisions === 'none' ? none : settledRevisions(agent)),
    tenant: seen.tenant === null ? undefined : makeTenant(seen.tenant),
    gpuClass: undefined,
    runs: { queued: 0, active: 0 },
    scheduled: [],
    starting: undefined,
    service,
  };
}

/** The plan of one pass. */
export function pass(agent: Agent, seen: Seen = {}, now: Date = NOW): ReturnType<typeof planAgent> {
  return planAgent(agent, observedOf(agent, seen), now);
}

/** The Agent with the status that a pass left. */
export function after(agent: Agent, plan: ReturnType<typeof planAgent>): Agent {
  return { ...agent, status: plan.status };
}

/** A condition of a plan. */
export function conditionIn(plan: ReturnType<typeof planAgent>, type = 'Ready') {
  return plan.status.conditions?.find((one) => one.type === type);
}

/** A pod of the service `agent`, of the revision that is active. */
export function makePod(agent: Agent, container: object, status: object = {}): KubeObject {
  const { name, namespace = '' } = agent.metadata;
  const labels = {
    [LABELS.service]: name,
    [LABELS.revision]: agent.status?.activeRevision?.name ?? '',
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${name}-x`, namespace, uid: 'pod-uid', labels },
    status: {
      containerStatuses: [{ name: 'agent', image: 'registry.example.com/agent:1', ...container }],
      ...status,
    },
  };
}

/** Kinds of objects, in their order. */
export function kinds(objects: readonly KubeObject[]): readonly string[] {
  return objects.map(({ kind }) => kind);
}

/** Kinds that a plan removes. */
export function removed({ remove }: Plan<unknown>): readonly string[] {
  return remove.map(({ ref }) => ref.kind);
}

/** Whether a plan changes nothing, but for what is said. */
export function isSilent(plan: Plan<unknown>): boolean {
  return [plan.apply, plan.create, plan.remove, plan.events].every((list) => list.length === 0);
}

/** The spec of an object. */
export function specOf(object: KubeObject | undefined): Record<string, unknown> {
  return object?.['spec'] as Record<string, unknown>;
}

/** The first of a kind. */
export function named(objects: readonly KubeObject[], kind: string): KubeObject {
  const found = objects.find((one) => one.kind === kind);
  if (found === undefined) throw new Error(`no ${kind} among ${kinds(objects).join(', ')}`);
  return found;
}

/** `agent`, deleted and kept by a finalizer. */
export function deleted(agent: Agent): Agent {
  const metadata = { ...agent.metadata, deletionTimestamp: '2026-11-21T12:00:00Z', finalizers: ['x'] };
  return { ...agent, metadata };
}
