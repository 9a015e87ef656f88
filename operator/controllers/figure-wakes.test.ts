// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject, Resource } from '../core/object.ts';
import { AGENTS, GPU_CLASSES, QUOTA_LEDGERS, RUNS, TENANTS } from '../core/resources.ts';
import { ago, makeAgent, makeRun, makeTenant } from '../core/run/testing/make.ts';
import type { Reader } from '../runtime/controller.ts';
import { patienceOf } from './testing/patience.ts';

const READ = { list: () => [], get: () => undefined } as unknown as Reader;

function withStatus(object: KubeObject, status: object): KubeObject {
  return { ...object, status: { ...(object['status'] as object | undefined), ...status } };
}

const TENANT = withStatus(makeTenant(), { state: 'Active', conditions: [] });
const USED = withStatus(TENANT, {
  usageAt: ago(1),
  usage: [{ name: 'runs.concurrent', used: '3', limit: '9' }],
});
const SUSPENDED = withStatus(TENANT, { state: 'Suspended' });
const AGENT = makeAgent();
const COUNTED = withStatus(AGENT, { runs: { queued: 1, active: 2, countedAt: ago(1) } });
const NOT_READY = makeAgent({}, 'False');
const LEDGER: KubeObject = {
  apiVersion: AGENT.apiVersion,
  kind: 'QuotaLedger',
  metadata: { name: 'acme', uid: 'ledger', generation: 1 },
  spec: { namespaces: [] },
};
const CLASS: KubeObject = {
  apiVersion: AGENT.apiVersion,
  kind: 'GPUClass',
  metadata: { name: 'a100', uid: 'class', generation: 1 },
  spec: {},
};

interface Case {
  readonly controller: string;
  readonly of: Resource;
  readonly old: KubeObject;
  readonly object: KubeObject;
  readonly waitMs: number;
}

const CASES: Readonly<Record<string, Case>> = {
  'what is used of a Tenant wakes none of its Agents': {
    controller: 'agent',
    of: TENANTS,
    old: TENANT,
    object: USED,
    waitMs: Infinity,
  },
  'how it stands wakes them at once, since they may have been refused for that': {
    controller: 'agent',
    of: TENANTS,
    old: TENANT,
    object: SUSPENDED,
    waitMs: 0,
  },
  'what is asked of it wakes them at once': {
    controller: 'agent',
    of: TENANTS,
    old: TENANT,
    object: { ...TENANT, metadata: { ...TENANT.metadata, generation: 2 } },
    waitMs: 0,
  },
  'free devices of a class wake no Agent': {
    controller: 'agent',
    of: GPU_CLASSES,
    old: CLASS,
    object: withStatus(CLASS, { free: 3 }),
    waitMs: Infinity,
  },
  'how a class stands wakes them at once': {
    controller: 'agent',
    of: GPU_CLASSES,
    old: CLASS,
    object: withStatus(CLASS, { free: 3, conditions: [{ type: 'Ready', status: 'False' }] }),
    waitMs: 0,
  },
  'counts of an Agent are looked at with the next': {
    controller: 'agent',
    of: AGENTS,
    old: AGENT,
    object: COUNTED,
    waitMs: 3000,
  },
  'how an Agent stands is looked at at once': {
    controller: 'agent',
    of: AGENTS,
    old: AGENT,
    object: NOT_READY,
    waitMs: 0,
  },
  'use of a Tenant is looked at with the next, also by its peers': {
    controller: 'tenant',
    of: TENANTS,
    old: TENANT,
    object: USED,
    waitMs: 3000,
  },
  'how a Tenant stands is looked at at once': {
    controller: 'tenant',
    of: TENANTS,
    old: TENANT,
    object: SUSPENDED,
    waitMs: 0,
  },
  'no history is looked at for the use of a Tenant': {
    controller: 'run-history',
    of: TENANTS,
    old: TENANT,
    object: USED,
    waitMs: Infinity,
  },
  'a namespace that comes to a tenant is looked at': {
    controller: 'run-history',
    of: QUOTA_LEDGERS,
    old: LEDGER,
    object: { ...LEDGER, metadata: { ...LEDGER.metadata, generation: 2 } },
    waitMs: 0,
  },
  'but not what its ledger holds': {
    controller: 'run-history',
    of: QUOTA_LEDGERS,
    old: LEDGER,
    object: withStatus(LEDGER, { reservations: [] }),
    waitMs: Infinity,
  },
  'nor for counts of an Agent': {
    controller: 'run-history',
    of: AGENTS,
    old: AGENT,
    object: COUNTED,
    waitMs: Infinity,
  },
  'Runs that end are looked at together': {
    controller: 'run-history',
    of: RUNS,
    old: makeRun({}, { phase: 'Running' }),
    object: makeRun({}, { phase: 'Succeeded' }),
    waitMs: 1000,
  },
};

for (const [name, { controller, of, old, object, waitMs }] of Object.entries(CASES)) {
  test(`figures: ${name}`, (t) => t.is(patienceOf(controller, of)({ old, object }, READ), waitMs));
}
