// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '#operator/core/object';
import { type PoolUse, poolUse } from './node-pools.ts';
import { at, conditionOf, fullName, type Snapshot, textAt } from './snapshot.ts';
import { alignTable, fit } from './table.ts';

/** The part of the screen that a frame may fill. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
}

const MAX_RUNS = 12;

/** What the live view shows of a snapshot: tenants, agents, the newest Runs and the node pools. */
export function renderFrame(snapshot: Snapshot, screen: Screen): readonly string[] {
  const lines = [
    ...section(alignTable(TENANT_HEAD, snapshot.tenants.map(tenantRow))),
    ...section(alignTable(AGENT_HEAD, snapshot.agents.map(agentRow))),
    ...section(runLines(snapshot.runs)),
    ...section(alignTable(POOL_HEAD, poolUse(snapshot).map(poolRow))),
  ];
  const shown =
    lines.length <= screen.rows
      ? lines
      : [...lines.slice(0, screen.rows - 1), '… a taller window shows more'];
  return shown.map((line) => fit(line, screen.columns));
}

function section(lines: readonly string[]): readonly string[] {
  return lines.length <= 1 ? [] : ['', ...lines];
}

const TENANT_HEAD = ['TENANT', 'STATE', 'READY', 'NAMESPACES', 'RUNS', 'GPUS'];

function tenantRow(tenant: KubeObject): readonly string[] {
  return [
    tenant.metadata.name,
    textAt(tenant, ['status', 'state'], 'Pending'),
    readyText(tenant),
    textAt(tenant, ['status', 'summary', 'namespaces'], '-'),
    textAt(tenant, ['status', 'summary', 'runs'], '-'),
    textAt(tenant, ['status', 'summary', 'gpus'], '-'),
  ];
}

const AGENT_HEAD = ['AGENT', 'GPU', 'READY', 'ACTIVE', 'QUEUED'];

function agentRow(agent: KubeObject): readonly string[] {
  return [
    fullName(agent),
    gpuText(agent),
    readyText(agent),
    textAt(agent, ['status', 'runs', 'active'], '0'),
    textAt(agent, ['status', 'runs', 'queued'], '0'),
  ];
}

function gpuText(agent: KubeObject): string {
  const gpu = at(agent, 'spec', 'gpu');
  return gpu === undefined ? '-' : `${textAt(gpu, ['count'], '1')} × ${textAt(gpu, ['class'])}`;
}

const RUN_HEAD = ['RUN', 'AGENT', 'PHASE', 'WHY'];

function runLines(runs: readonly KubeObject[]): readonly string[] {
  const newest = runs.toSorted((a, b) => createdAt(b) - createdAt(a)).slice(0, MAX_RUNS);
  const rest = runs.length - newest.length;
  const table = alignTable(RUN_HEAD, newest.map(runRow));
  return rest > 0 ? [...table, `… and ${rest} older`] : table;
}

function runRow(run: KubeObject): readonly string[] {
  const phase = textAt(run, ['status', 'phase'], 'New');
  const { reason, message } = conditionOf(run, 'Ready');
  const position = textAt(run, ['status', 'queue', 'position']);
  const why = phase === 'Succeeded' ? '' : message || reason;
  return [
    fullName(run),
    textAt(run, ['spec', 'agentRef', 'name']),
    position === '' ? phase : `${phase} (${position}.)`,
    why,
  ];
}

const POOL_HEAD = ['NODE POOL', 'NODES', 'PODS', 'DEVICES IN USE'];

function poolRow(pool: PoolUse): readonly string[] {
  const devices = pool.devices.map(({ name, used, total }) => `${name} ${used}/${total}`).join(', ');
  return [pool.name, `${pool.readyNodes}/${pool.nodes}`, String(pool.pods), devices === '' ? '-' : devices];
}

function readyText(object: KubeObject): string {
  const { status, reason } = conditionOf(object, 'Ready');
  return status === 'True' || reason === '' ? status : `${status}: ${reason}`;
}

function createdAt(object: KubeObject): number {
  return Date.parse(object.metadata.creationTimestamp ?? '') || 0;
}
