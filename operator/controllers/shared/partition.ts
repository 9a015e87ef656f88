// SPDX-License-Identifier: Apache-2.0
import type { Agent } from '../../core/agent/agent.ts';
import { isAtRevision, pinOf } from '../../core/agent/pinned.ts';
import type { AgentRevision } from '../../core/agent/template.ts';
import type { KubeObject } from '../../core/object.ts';
import type { Run } from '../../core/run/run.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import { type Key, keyOf, type Reader } from '../../runtime/controller.ts';
import type { Partition } from '../../runtime/shards/partition.ts';
import { AGENT_REVISIONS, AGENTS, GPU_CLASSES, QUOTA_LEDGERS, RUNS } from '../../core/resources.ts';
import { WATCHED_REVISIONS } from './revisions.ts';
import { ledgerOf, namespacesOf } from './workloads.ts';

/**
 * What operators that work at the same time deal out: each tenant with all that is its own. Devices are given away over all
 * tenants, from a book that one process keeps, so who leads decides on the ledgers of tenants that have quota of devices, and on
 * Runs that ask for some.
 */
export const PARTITION: Partition = {
  groupOf(resource, key, read) {
    if (resource === GPU_CLASSES) return undefined;
    if (key.namespace === undefined) {
      const ledger = resource === QUOTA_LEDGERS ? read.get(QUOTA_LEDGERS, key) : undefined;
      return ledger !== undefined && givesDevices(ledger) ? undefined : key.name;
    }
    if (resource === RUNS && asksForDevices(key, read)) return undefined;
    return ledgerOf(read, key.namespace)?.metadata.name ?? key.namespace;
  },
  moves: [
    { resource: QUOTA_LEDGERS, namespaces: ({ old, object }) => movedNamespaces(old, object) },
    { resource: AGENTS, namespaces: ({ old, object }) => namespacesOfAgent(old, object), moved: RUNS },
    {
      ...WATCHED_REVISIONS,
      namespaces: ({ old, object }) => namespacesOfRevision(old, object),
      moved: RUNS,
    },
  ],
};

/** By version of a ledger: it is asked at each change of each Run. */
const giving = new WeakMap<KubeObject, boolean>();

/** Whether a ledger deals out devices, or still has some dealt out. */
export function givesDevices(object: KubeObject): boolean {
  let gives = giving.get(object);
  if (gives === undefined) {
    const { spec, status } = object as Ledger;
    const hasQuota = (spec.gpus ?? []).length > 0;
    gives = hasQuota || (status?.reservations ?? []).some(({ gpuClass }) => gpuClass !== undefined);
    giving.set(object, gives);
  }
  return gives;
}

function asksForDevices(key: Key, read: Reader): boolean {
  const run = read.get(RUNS, key) as Run | undefined;
  if (run === undefined) return false;
  if (run.status?.gpu !== undefined) return true;
  const agent = read.get(AGENTS, { ...key, name: run.spec.agentRef.name }) as Agent | undefined;
  const pinned = revisionOf(run, agent, read);
  return pinned === undefined ? hasDevices(agent) : hasDevicesAt(pinned);
}

/** The revision that a Run is bound to, if it is there, and is not what its Agent is now: that asks for devices, or does not. */
function revisionOf(run: Run, agent: Agent | undefined, read: Reader): KubeObject | undefined {
  const name = pinOf(run);
  if (name === undefined || (agent !== undefined && isAtRevision(agent, name))) return undefined;
  return read.get(AGENT_REVISIONS, { ...keyOf(run), name });
}

function hasDevicesAt(revision: KubeObject | undefined): boolean {
  return (revision as AgentRevision | undefined)?.spec.template.gpu !== undefined;
}

function hasDevices(agent: KubeObject | undefined): boolean {
  return (agent as Agent | undefined)?.spec.gpu !== undefined;
}

/** Namespaces that came to a tenant, or left it. */
function movedNamespaces(old: KubeObject | undefined, object: KubeObject | undefined): readonly string[] {
  const before = new Set(old === undefined ? [] : namespacesOf(old as Ledger));
  const after = new Set(object === undefined ? [] : namespacesOf(object as Ledger));
  return [...new Set([...before, ...after])].filter((one) => before.has(one) !== after.has(one));
}

function namespacesOfAgent(old: KubeObject | undefined, object: KubeObject | undefined): readonly string[] {
  return hasDevices(old) === hasDevices(object) ? [] : namespaceOf(object ?? old);
}

/** One that comes or goes: it cannot be changed. Without it, Runs go by their Agent, so also one without devices moves them. */
function namespacesOfRevision(
  old: KubeObject | undefined,
  object: KubeObject | undefined,
): readonly string[] {
  return old === undefined || object === undefined ? namespaceOf(object ?? old) : [];
}

function namespaceOf(object: KubeObject | undefined): readonly string[] {
  const { namespace } = object?.metadata ?? {};
  return namespace === undefined ? [] : [namespace];
}
