// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { TenantStatus } from '#crds/v1alpha1/tenant';
import { type Agent, agentKey } from '../agent/agent.ts';
import { DONE, GONE_MS, type Plan, type Result, statusOnly } from '../plan.ts';
import { ageOf, isOlder } from '../quota/queue-order.ts';
import type { Tenant } from '../tenant/tenant.ts';
import { type Kinship, retire } from './retirement.ts';
import { phaseOf, type Run } from './run.ts';

/** Removed by one pass: the next one has a newer view. */
const MOST_AT_ONCE = 500;
const NEXT_MS = 1000;
/** A time that is farther off is looked at again before it has come: it may be another one by then. */
const LONGEST_MS = 3_600_000;

/** The finished Runs of a tenant, and what says how long they are kept. */
export interface HistoryObserved {
  /** Of all its namespaces, finished and not being deleted. */
  readonly runs: readonly Run[];
  /** By `agentKey`. */
  readonly agents: ReadonlyMap<string, Agent>;
  /** What goes before each of them, and what stays. */
  readonly kin: Kinship;
}

/** Whether anything says of the Runs of a tenant that they are not kept for ever, beside Runs themselves. */
export function hasHistoryLimits({ spec }: Tenant, agents: Iterable<Agent>): boolean {
  return spec.runHistory !== undefined || [...agents].some((agent) => agent.spec.history !== undefined);
}

/** Decides which finished Runs of a tenant go: those whose time is over, and the oldest of those that are too many. */
export function planHistory(
  tenant: Tenant,
  observed: HistoryObserved,
  now: Date,
): Plan<TenantStatus | undefined> {
  const runs = observed.runs.toSorted(newestFirst);
  const expired = runs.filter((run) => leftMs(run, { tenant, observed, now }) <= 0);
  const left = without(runs, expired);
  const tooMany = beyondLimits(left, observed.agents);
  const beyond = without(left, tooMany).slice(tenant.spec.runHistory?.limit ?? left.length);
  const due = [...expired, ...tooMany, ...beyond].toSorted(newestFirst).toReversed();
  // What the archive will not have is not asked for, or it would take the place of others.
  const free = retire(due, observed.kin);
  const remove = free.remove.slice(0, MOST_AT_ONCE);
  const times = without(runs, due).map((run) => leftMs(run, { tenant, observed, now }));
  const goneMs = remove.length > 0 ? GONE_MS : Infinity;
  const isAll = !free.waits && remove.length === free.remove.length;
  const result = isAll ? againIn(Math.min(goneMs, ...times)) : AGAIN;
  return { ...statusOnly(tenant.status, result), remove };
}

const AGAIN: Result = { kind: 'requeueAfter', afterMs: NEXT_MS, why: 'to remove more finished Runs' };

function againIn(ms: number): Result {
  if (ms === Infinity) return DONE;
  return { kind: 'requeueAfter', afterMs: Math.min(ms, LONGEST_MS), why: 'to remove finished Runs' };
}

/** How long a Run is still kept by its Agent and its tenant, in milliseconds; what it says itself, its own controller holds. */
function leftMs(
  run: Run,
  {
    tenant,
    observed,
    now,
  }: { readonly tenant: Tenant; readonly observed: HistoryObserved; readonly now: Date },
): number {
  const { history } = agentOf(run, observed.agents)?.spec ?? {};
  const ofAgent =
    run.spec.ttlSecondsAfterFinished === undefined ? history?.ttlSecondsAfterFinished : undefined;
  const ofTenant = tenant.spec.runHistory?.ttlSecondsAfterFinished;
  const seconds = Math.min(ofAgent ?? Infinity, ofTenant ?? Infinity);
  return seconds === Infinity ? Infinity : finishedMs(run) + seconds * 1000 - now.getTime();
}

/** Of `runs`, newest first: those that their Agents have too many of. */
function beyondLimits(runs: readonly Run[], agents: HistoryObserved['agents']): readonly Run[] {
  const seen = new Map<string, number>();
  return runs.filter((run) => {
    const agent = agentOf(run, agents);
    if (agent?.spec.history === undefined || isScheduled(run)) return false;
    const isSuccess = phaseOf(run) === 'Succeeded';
    const { successfulRunsLimit, failedRunsLimit } = agent.spec.history;
    const key = `${agentKey(run.metadata.namespace ?? '', agent.metadata.name)}/${isSuccess}`;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    return count > ((isSuccess ? successfulRunsLimit : failedRunsLimit) ?? Infinity);
  });
}

function agentOf({ metadata, spec }: Run, agents: HistoryObserved['agents']): Agent | undefined {
  return agents.get(agentKey(metadata.namespace ?? '', spec.agentRef.name));
}

function isScheduled({ metadata }: Run): boolean {
  return metadata.labels?.[LABELS.scheduledBy] !== undefined;
}

function without(runs: readonly Run[], others: readonly Run[]): readonly Run[] {
  const gone = new Set(others);
  return runs.filter((run) => !gone.has(run));
}

/** Of those that ended in the same second, which came first tells: instants are whole seconds. */
function newestFirst(a: Run, b: Run): number {
  return finishedMs(b) - finishedMs(a) || (isOlder(ageOf(a), ageOf(b)) ? 1 : -1);
}

function finishedMs({ status }: Run): number {
  return Date.parse(status?.finishedAt ?? '');
}
