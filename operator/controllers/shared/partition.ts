// SPDX-License-Identifier: Apache-2.0
import type { Agent } from '../../core/agent/agent.ts';
import type { KubeObject } from '../../core/object.ts';
import type { Run } from '../../core/run/run.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import type { Key, Reader } from '../../runtime/controller.ts';
import type { Partition } from '../../runtime/shards/partition.ts';
import { AGENTS, GPU_CLASSES, QUOTA_LEDGERS, RUNS } from './resources.ts';
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
  ],
};

/** By version of a ledger: it is asked at each change of each Run. */
const giving = new WeakMap<KubeObject, boolean>();

/** Whether a ledger deals out devices, or still has some dealt out. */
function givesDevices(object: KubeObject): boolean {
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
  const { name } = run.spec.agentRef;
  return hasDevices(read.get(AGENTS, { ...key, name }));
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
  if (hasDevices(old) === hasDevices(object)) return [];
  const { namespace } = (object ?? old)?.metadata ?? {};
  return namespace === undefined ? [] : [namespace];
}
