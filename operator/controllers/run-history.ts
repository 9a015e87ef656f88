// SPDX-License-Identifier: Apache-2.0
import type { TenantStatus } from '#crds/v1alpha1/tenant';
import { type Agent, agentKey } from '../core/agent/agent.ts';
import type { KubeObject } from '../core/object.ts';
import { statusOnly } from '../core/plan.ts';
import { hasHistoryLimits, type HistoryObserved, planHistory } from '../core/run/history.ts';
import { isFinished, type Run } from '../core/run/run.ts';
import type { Ledger, Tenant } from '../core/tenant/tenant.ts';
import type { Controller, IndexDeclaration, Key, PolicyRule, Reader, Watch } from '../runtime/controller.ts';
import { AGENTS, QUOTA_LEDGERS, RUNS, TENANTS } from '../core/resources.ts';
import { ifMoreThanStatus } from './shared/news-of-objects.ts';
import { kinshipIn } from './shared/trees.ts';
import { ledgerOf, namespacesOf } from './shared/workloads.ts';

/** Runs end all the time, and each pass looks at all that are kept: it is worth so many milliseconds of them. */
const INTERVAL_MS = 5000;
/** Even a look at whether there is anything to decide is dearer than to wait for more of them: they end by the hundred. */
const TOGETHER_MS = 1000;
const FINISHED_RUNS = 'finished-runs-of-namespace';

/** The index that finished Runs are found by. */
export const RUN_HISTORY_INDEX: IndexDeclaration = {
  resource: RUNS,
  name: FINISHED_RUNS,
  of: (run) => (isKept(run as Run) ? [run.metadata.namespace ?? ''] : []),
};

/** What was seen of the finished Runs of a tenant, if there is anything to decide, and it is not too soon for that. */
export type HistoryView =
  | { readonly kind: 'seen'; readonly observed: HistoryObserved }
  | { readonly kind: 'tooSoon'; readonly afterMs: number }
  | { readonly kind: 'unlimited' };

/** What is known of the archive that finished Runs go to. */
export interface Records {
  /** Whether it will not have the object of that uid. */
  hasRefused(uid: string): boolean;
}

const NO_RECORDS: Records = { hasRefused: () => false };

/** The controller that removes finished Runs which their Agent or tenant keeps no longer. Tenant by tenant, since limits are over all of its Runs. */
export function runHistoryController(
  records: Records = NO_RECORDS,
): Controller<Tenant, HistoryView, TenantStatus | undefined> {
  const passes = new Map<string, number>();
  return {
    name: 'run-history',
    resource: TENANTS,
    patienceMs: ifMoreThanStatus,
    watches: WATCHES,
    rbac: RBAC,
    group: ({ metadata }) => metadata.name,
    tells: () => false,
    observe: (tenant, read) => observe(tenant, { read, passes, records }),
    plan(tenant, view, now) {
      if (view.kind === 'seen') return planHistory(tenant, view.observed, now);
      if (view.kind === 'unlimited') return statusOnly(tenant.status);
      const { afterMs } = view;
      return statusOnly(tenant.status, { kind: 'requeueAfter', afterMs, why: 'to decide on more at once' });
    },
  };
}

const WATCHES: readonly Watch[] = [
  { resource: RUNS, keys: tenantOfFinished, patienceMs: () => TOGETHER_MS },
  { resource: AGENTS, keys: tenantOf, patienceMs: ifMoreThanStatus },
  // A reservation that is given back is looked at with the next Run that ends; a namespace that comes to a tenant is one of its ledger's spec.
  {
    resource: QUOTA_LEDGERS,
    keys: ({ metadata }) => [{ name: metadata.name }],
    patienceMs: ifMoreThanStatus,
  },
];

const RBAC: readonly PolicyRule[] = [{ apiGroups: ['nexusos.dev'], resources: ['runs'], verbs: ['delete'] }];

interface Sight {
  readonly read: Reader;
  readonly passes: Map<string, number>;
  readonly records: Records;
}

function observe(tenant: Tenant, { read, passes, records }: Sight): HistoryView {
  const ledger = read.get(QUOTA_LEDGERS, { name: tenant.metadata.name }) as Ledger | undefined;
  if (ledger === undefined) return { kind: 'unlimited' };
  const agents = namespacesOf(ledger).flatMap((namespace) => read.list(AGENTS, { namespace })) as Agent[];
  if (!hasHistoryLimits(tenant, agents)) return { kind: 'unlimited' };
  const nowMs = performance.now();
  const afterMs = (passes.get(tenant.metadata.name) ?? -Infinity) + INTERVAL_MS - nowMs;
  if (afterMs > 0) return { kind: 'tooSoon', afterMs };
  note(passes, tenant.metadata.name, nowMs);
  return { kind: 'seen', observed: historyOf(ledger, agents, { read, records }) };
}

function historyOf(
  ledger: Ledger,
  agents: readonly Agent[],
  { read, records }: Omit<Sight, 'passes'>,
): HistoryObserved {
  const runs = namespacesOf(ledger).flatMap((value) =>
    read.list(RUNS, { index: FINISHED_RUNS, value }),
  ) as Run[];
  return {
    runs,
    agents: new Map(agents.map((one) => [agentKey(one.metadata.namespace ?? '', one.metadata.name), one])),
    kin: { ...kinshipIn(ledger, read), isRefused: ({ metadata }) => records.hasRefused(metadata.uid ?? '') },
  };
}

/** Notes a pass, and forgets those that hold nobody back any more: entries stand in the order of their times. */
function note(passes: Map<string, number>, name: string, nowMs: number): void {
  for (const [other, atMs] of passes) {
    if (atMs > nowMs - INTERVAL_MS) break;
    passes.delete(other);
  }
  passes.delete(name);
  passes.set(name, nowMs);
}

function isKept(run: Run): boolean {
  return isFinished(run) && run.metadata.deletionTimestamp === undefined;
}

function tenantOfFinished(run: KubeObject, read: Reader): readonly Key[] {
  return isKept(run as Run) ? tenantOf(run, read) : [];
}

function tenantOf({ metadata }: KubeObject, read: Reader): readonly Key[] {
  const ledger = ledgerOf(read, metadata.namespace ?? '');
  return ledger === undefined ? [] : [{ name: ledger.metadata.name }];
}
