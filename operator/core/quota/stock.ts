// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { agentKey } from '../agent/agent.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { addTo, type Amounts, amountOf, parseAmounts } from './amounts.ts';
import { demandOf, sourceOf } from './candidates.ts';
import type { Demand } from './grants.ts';
import type { LedgerObserved } from './ledger.ts';
import { seenQuota } from './resource-quota.ts';

/** What Runs with a reservation will take as soon as their pods exist. */
export function pendingOf(reservations: readonly Reservation[], observed: LedgerObserved): readonly Demand[] {
  const byUid = new Map(observed.runs.map((run) => [run.metadata.uid, run]));
  return reservations
    .filter(({ uid }) => !observed.started.has(uid))
    .map(({ uid, namespace, agent: name }) => {
      const run = byUid.get(uid);
      const agent =
        run === undefined ? observed.agents.get(agentKey(namespace, name)) : sourceOf(run, observed).agent;
      return { namespace, amounts: demandOf(run, agent, observed) };
    });
}

/** Runs at one time by `agentKey`, of Agents that limit them. */
export function agentLimits({ agents }: LedgerObserved): ReadonlyMap<string, number> {
  const limits = new Map<string, number>();
  for (const [key, agent] of agents) {
    const { maxConcurrentRuns } = agent.spec.limits;
    if (maxConcurrentRuns !== undefined) limits.set(key, maxConcurrentRuns);
  }
  return limits;
}

/** What neither pods nor Runs about to start take: of the totals, and of the quota in each namespace. */
export function freeAmounts(
  ledger: Ledger,
  observed: LedgerObserved,
  pending: readonly Demand[],
): { readonly free: Amounts; readonly freeIn: ReadonlyMap<string, Amounts> } {
  const totals = parseAmounts(ledger.spec.hard);
  const free = new Map(totals);
  const freeIn = new Map<string, Map<string, bigint>>();
  for (const [namespace, quota] of observed.quotas) {
    const { hard, used } = seenQuota(quota);
    subtractKnown(free, used);
    // A key that is not enforced yet counts as none, lest a Run slip in before it is.
    const room = new Map([...totals.keys()].map((key) => [key, amountOf(hard, key)]));
    subtractKnown(room, used);
    freeIn.set(namespace, room);
  }
  for (const { namespace, amounts } of pending) {
    subtractKnown(free, amounts);
    subtractKnown(freeIn.get(namespace) ?? new Map(), amounts);
  }
  return { free, freeIn };
}

function subtractKnown(from: Map<string, bigint>, amounts: Amounts): void {
  addTo(from, new Map([...amounts].filter(([key]) => from.has(key))), -1n);
}
