// SPDX-License-Identifier: Apache-2.0
import { AGENT, type AgentSpec } from '#crds/v1alpha1/agent';
import { GPU_CLASS, type GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import { API_VERSION, FINALIZERS } from '#crds/v1alpha1/names';
import { RUN, type RunSpec, type RunStatus } from '#crds/v1alpha1/run';
import { TENANT, type TenantSpec } from '#crds/v1alpha1/tenant';
import type { Agent, GPUClass } from '../../agent/agent.ts';
import { revisionName, templateDigest, templateOf } from '../../agent/template.ts';
import type { KubeObject, ObjectMeta } from '../../object.ts';
import type { Tenant } from '../../tenant/tenant.ts';
import type { Run } from '../run.ts';

/** The moment at which the cases of tables take place. */
export const NOW = new Date('2026-11-21T12:00:00Z');

/** An instant `seconds` before NOW, as the API server writes it. */
export function ago(seconds: number): string {
  return `${new Date(NOW.getTime() - seconds * 1000).toISOString().slice(0, 19)}Z`;
}

/** A Run with everything that a case does not speak of. */
export function makeRun(spec: Partial<RunSpec> = {}, status?: RunStatus): Run {
  return {
    apiVersion: API_VERSION,
    kind: 'Run',
    metadata: { name: 'r', namespace: 'acme-dev', uid: 'run-uid', generation: 1, creationTimestamp: ago(1) },
    spec: RUN.spec.parse({ agentRef: { name: 'agent' }, ...spec }),
    ...(status !== undefined && { status }),
  };
}

/** An Agent, Ready unless told otherwise. */
export function makeAgent(spec: Partial<AgentSpec> = {}, ready: 'True' | 'False' = 'True'): Agent {
  const condition = { type: 'Ready', status: ready, reason: 'Accepted', message: 'so it is' } as const;
  const parsed = AGENT.spec.parse({ container: { image: 'registry.example.com/agent:1' }, ...spec });
  const name = revisionName('agent', templateDigest(templateOf(parsed)));
  return {
    apiVersion: API_VERSION,
    kind: 'Agent',
    metadata: { name: 'agent', namespace: 'acme-dev', uid: 'agent-uid', generation: 1 },
    spec: parsed,
    status: {
      activeRevision: { name, number: 1, generation: 1, since: ago(60) },
      lastRevision: 1,
      conditions: [{ ...condition, observedGeneration: 1, lastTransitionTime: ago(60) }],
    },
  };
}

/** The revision that Runs of `agent` are made from. */
export function revisionOf({ status }: Agent): NonNullable<RunStatus['revision']> {
  const { name = 'agent-1', number = 1 } = status?.activeRevision ?? {};
  return { name, number };
}

/** A Tenant named acme. */
export function makeTenant(spec: Partial<TenantSpec> = {}): Tenant {
  return {
    apiVersion: API_VERSION,
    kind: 'Tenant',
    metadata: { name: 'acme', uid: 'tenant-uid', generation: 1 },
    spec: TENANT.spec.parse(spec),
  };
}

/** A GPUClass of whole cards, unless told otherwise. */
export function makeClass(name: string, spec: Partial<GPUClassSpec> = {}): GPUClass {
  const { deviceClassName } = spec;
  const resource = deviceClassName === undefined ? { resourceName: 'nvidia.com/gpu' } : {};
  return {
    apiVersion: API_VERSION,
    kind: 'GPUClass',
    metadata: { name },
    spec: GPU_CLASS.spec.parse({ ...resource, ...spec }),
  };
}

/**
 * The pod of an attempt of `makeRun`, on a node: `state` is that of its container, the rest that of the pod. It has no deadline: cases that
 * are about it say so.
 */
export function makePod(state: object, status: object = {}, metadata: Partial<ObjectMeta> = {}): KubeObject {
  const owner = { apiVersion: API_VERSION, kind: 'Run', name: 'r', uid: 'run-uid', controller: true };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'r-x-1',
      namespace: 'acme-dev',
      uid: 'pod-uid',
      creationTimestamp: ago(10),
      finalizers: [FINALIZERS.pod],
      ownerReferences: [owner],
      ...metadata,
    },
    spec: { nodeName: 'cpu-0' },
    status: { phase: 'Running', containerStatuses: [{ name: 'agent', state }], ...status },
  };
}

/** A pod that was deleted a moment ago, and has 30 seconds to end. */
export function going(pod: KubeObject): KubeObject {
  const deletion = { deletionTimestamp: ago(-29), deletionGracePeriodSeconds: 30 };
  return { ...pod, metadata: { ...pod.metadata, ...deletion } };
}

/** A pod on a node, of which nothing is told yet. */
export const starting: KubeObject = makePod(
  { waiting: { reason: 'ContainerCreating' } },
  { phase: 'Pending' },
);
