// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { AGENT, type AgentStatus } from '#crds/v1alpha1/agent';
import { type Agent, agentKey, type GPUClass } from '../core/agent/agent.ts';
import { type AgentObserved, planAgent, type RunCounts } from '../core/agent/plan.ts';
import type { KubeObject } from '../core/object.ts';
import { phaseOf, type Run } from '../core/run/run.ts';
import type { Tenant } from '../core/tenant/tenant.ts';
import {
  type Controller,
  type Key,
  keyOf,
  parseWith,
  type Reader,
  type Watch,
} from '../runtime/controller.ts';
import { AGENTS, GPU_CLASSES, QUOTA_LEDGERS, RUNS, TENANTS } from './shared/resources.ts';
import { INDEX, ledgerOf } from './shared/workloads.ts';

/** The controller of Agents: whether Runs of each can be admitted, and how many there are. */
export function agentController(): Controller<Agent, AgentObserved, AgentStatus> {
  return {
    name: 'agent',
    resource: AGENTS,
    watches: WATCHES,
    rbac: [],
    // Its Runs must not wait for it without a word while somebody else's finalizer keeps it.
    plansWhileDeleting: true,
    parse: parseWith(z.object({ spec: AGENT.spec })),
    group: (agent, read) => ledgerOf(read, agent.metadata.namespace ?? '')?.metadata.name,
    observe,
    plan: planAgent,
  };
}

const WATCHES: readonly Watch[] = [
  { resource: TENANTS, keys: agentsOfTenant },
  { resource: QUOTA_LEDGERS, keys: agentsWithoutTenant },
  { resource: GPU_CLASSES, keys: agentsOfClass },
  { resource: RUNS, keys: agentOfRun },
];

function observe(agent: Agent, read: Reader): AgentObserved {
  const { namespace = '', name } = agent.metadata;
  const ledger = ledgerOf(read, namespace);
  const { gpu } = agent.spec;
  return {
    tenant: ledger && (read.get(TENANTS, { name: ledger.metadata.name }) as Tenant | undefined),
    gpuClass: gpu && (read.get(GPU_CLASSES, { name: gpu.class }) as GPUClass | undefined),
    runs: countRuns(
      read.list(RUNS, { index: INDEX.liveRunsOfAgent, value: agentKey(namespace, name) }) as readonly Run[],
    ),
  };
}

function countRuns(live: readonly Run[]): RunCounts {
  const queued = live.filter((run) => phaseOf(run) === 'Queued').length;
  return { queued, active: live.length - queued };
}

function agentOfRun(run: KubeObject): readonly Key[] {
  const { namespace } = run.metadata;
  return namespace === undefined ? [] : [{ namespace, name: (run as Run).spec.agentRef.name }];
}

function agentsOfTenant({ metadata }: KubeObject, read: Reader): readonly Key[] {
  const ledger = read.get(QUOTA_LEDGERS, { name: metadata.name });
  const namespaces = (ledger?.['spec'] as { readonly namespaces?: readonly string[] } | undefined)
    ?.namespaces;
  return (namespaces ?? []).flatMap((namespace) => read.list(AGENTS, { namespace })).map(keyOf);
}

/**
 * A namespace that came to a tenant, or left it. A ledger changes with every Run, so only those Agents are woken
 * that do not know of it yet.
 */
function agentsWithoutTenant(ledger: KubeObject, read: Reader): readonly Key[] {
  const isHeld = new Set((ledger['spec'] as { readonly namespaces?: readonly string[] }).namespaces);
  return [...isHeld]
    .flatMap((namespace) => read.list(AGENTS, { namespace }))
    .filter((agent) => !knowsItsTenant(agent as Agent, read))
    .map(keyOf);
}

function knowsItsTenant({ metadata, status }: Agent, read: Reader): boolean {
  const hasTenant = ledgerOf(read, metadata.namespace ?? '') !== undefined;
  return hasTenant && status?.conditions?.some(isSettled) === true;
}

function isSettled(condition: { readonly type: string; readonly reason: string }): boolean {
  return condition.type === 'Ready' && condition.reason !== 'TenantNotFound';
}

function agentsOfClass({ metadata }: KubeObject, read: Reader): readonly Key[] {
  return read.list(AGENTS, { index: INDEX.agentsByClass, value: metadata.name }).map(keyOf);
}
