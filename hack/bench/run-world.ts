// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '#operator/core/object';
import type { Client } from '#operator/runtime/client';
import { type BenchEnvironment, isReady, TENANTS } from './environment.ts';
import { secondsUntilDone } from './until-done.ts';

/** How many objects are created at a time where as many as possible are wanted. */
export const CREATORS = 16;
/** What the pods of all measurements run, and what they ask for. */
export const IMAGE = 'registry.example.com/bench:1';
export const RESOURCES = { requests: { cpu: '10m', memory: '8Mi' } };
/** How long a simulated pod runs: short beside everything else that happens to it. */
export const BRIEFLY = '10ms';
/** Longer than any measurement takes, and less than the timeout of an Agent. */
export const FOR_LONG = '50m';

/** Agents, as requests name them. */
export const AGENTS: Resource = {
  apiVersion: TENANTS.apiVersion,
  kind: 'Agent',
  plural: 'agents',
  namespaced: true,
};
/** Runs, as requests name them. */
export const RUNS: Resource = {
  apiVersion: TENANTS.apiVersion,
  kind: 'Run',
  plural: 'runs',
  namespaced: true,
};

/** The quotas of a tenant that are about Runs; one that has none holds no Run back. */
export interface RunQuotas {
  readonly maxConcurrent?: number;
}

/** The annotation by which a simulated pod runs for `duration`. */
export function runsFor(duration: string): Readonly<Record<string, string>> {
  return { 'kwok.nexusos.dev/duration': duration };
}

/** `count` names: `<prefix>-0`, `<prefix>-1`, ... */
export function named(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, number) => `${prefix}-${number}`);
}

/** Makes tenants of these names, with one namespace and one Agent each. Returns how long the tenants took to be Ready, in seconds. */
export async function makeTenants(
  { client }: BenchEnvironment,
  names: readonly string[],
  runs?: RunQuotas,
): Promise<number> {
  const make = (resource: Resource, objects: readonly KubeObject[]) =>
    secondsUntilDone(client, { width: CREATORS, resource, objects, isDone: isReady });
  const seconds = await make(
    TENANTS,
    names.map((name) => tenantOf(name, runs)),
  );
  await make(AGENTS, names.map(agentOf));
  return seconds;
}

/** The namespace that a tenant of these measurements has. */
export function namespaceOf(tenant: string): string {
  return `${tenant}-main`;
}

/** A Run of the Agent of `tenant`, whose pod runs for `duration`. */
export function runOf(tenant: string, name: string, duration: string = BRIEFLY): KubeObject {
  return {
    apiVersion: RUNS.apiVersion,
    kind: RUNS.kind,
    metadata: { name, namespace: namespaceOf(tenant), annotations: runsFor(duration) },
    spec: { agentRef: { name: agentNameOf(tenant) } },
  };
}

/** Runs of these names, dealt out to `tenants` in turn. */
export function dealOut(tenants: readonly string[], names: readonly string[]): readonly KubeObject[] {
  return names.map((name, number) => runOf(tenants[number % tenants.length] ?? '', name));
}

/** Whether a Run, a Job or a pod has succeeded. @throws Error when it has failed: then nothing is measured. */
export function hasEnded(object: KubeObject): boolean {
  const { phase, succeeded } = (object['status'] ?? {}) as {
    readonly phase?: string;
    readonly succeeded?: number;
  };
  if (phase === 'Failed') throw new Error(`${object.kind} ${object.metadata.name} has failed`);
  return phase === 'Succeeded' || succeeded === 1;
}

/** The phase of a Run; undefined before the operator has told any. */
export function phaseOf(run: KubeObject): string | undefined {
  return (run['status'] as { readonly phase?: string } | undefined)?.phase;
}

/** How many Runs are in each phase, of all or of one namespace. */
export async function countPhases(client: Client, namespace?: string): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for await (const { items } of client.list(RUNS, { namespace })) {
    for (const run of items) {
      const phase = phaseOf(run) ?? '';
      found.set(phase, (found.get(phase) ?? 0) + 1);
    }
  }
  return found;
}

function tenantOf(name: string, runs: RunQuotas | undefined): KubeObject {
  return {
    apiVersion: TENANTS.apiVersion,
    kind: TENANTS.kind,
    metadata: { name },
    spec: { namespaces: [{ suffix: 'main' }], ...(runs !== undefined && { quotas: { runs } }) },
  };
}

function agentOf(tenant: string): KubeObject {
  return {
    apiVersion: AGENTS.apiVersion,
    kind: AGENTS.kind,
    metadata: { name: agentNameOf(tenant), namespace: namespaceOf(tenant) },
    spec: { container: { image: IMAGE, resources: RESOURCES } },
  };
}

function agentNameOf(tenant: string): string {
  return `agent-of-${tenant}`;
}
