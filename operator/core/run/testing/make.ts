// SPDX-License-Identifier: Apache-2.0
import { AGENT, type AgentSpec } from '#crds/v1alpha1/agent';
import { GPU_CLASS, type GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import { API_VERSION } from '#crds/v1alpha1/names';
import { RUN, type RunSpec, type RunStatus } from '#crds/v1alpha1/run';
import { TENANT, type TenantSpec } from '#crds/v1alpha1/tenant';
import type { Agent, GPUClass } from '../../agent/agent.ts';
import { revisionName, templateDigest, templateOf } from '../../agent/template.ts';
import type { KubeObject } from '../../object.ts';
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

/** The Job of an attempt of `makeRun`. */
export function makeJob(condition?: { readonly type: string; readonly reason?: string }): KubeObject {
  const owner = { apiVersion: API_VERSION, kind: 'Run', name: 'r', uid: 'run-uid', controller: true };
  const ended = condition && { ...condition, status: 'True', lastTransitionTime: ago(0) };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'r-x-1', namespace: 'acme-dev', uid: 'job-uid', ownerReferences: [owner] },
    status: { conditions: ended === undefined ? [] : [ended] },
  };
}

/** A pod of that Job: `state` is that of its container, the rest that of the pod. */
export function makePod(state: object, status: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'r-x-1-abcde',
      namespace: 'acme-dev',
      uid: 'pod-uid',
      creationTimestamp: ago(10),
      ownerReferences: [
        { apiVersion: 'batch/v1', kind: 'Job', name: 'r-x-1', uid: 'job-uid', controller: true },
      ],
    },
    status: { phase: 'Running', containerStatuses: [{ name: 'agent', state }], ...status },
  };
}
