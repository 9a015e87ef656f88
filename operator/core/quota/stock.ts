// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { agentKey } from '../agent/agent.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { addTo, type Amounts, amountOf, lacking, parseAmounts } from './amounts.ts';
import { demandOf, sourceOf } from './candidates.ts';
import { countedQuota } from './counted.ts';
import { demandOfRest, givenBack } from './demand.ts';
import type { Demand } from './grants.ts';
import { awaitedOf, beside, startable } from './handover.ts';
import type { LedgerObserved } from './ledger.ts';
import { runsByUid } from './runs-by-uid.ts';
import { serviceDemands } from './service-demand.ts';

/** What somebody wants to take of the totals, and of the quota in its namespace. */
export interface Pending extends Demand {
  readonly within: Amounts;
}

/**
 * What Runs with a reservation will take as soon as their pods exist. What is still held by those from whom one of them takes over is
 * counted there.
 */
export function pendingOf(
  reservations: readonly Reservation[],
  observed: LedgerObserved,
): readonly Pending[] {
  return reservations
    .filter(({ uid }) => !observed.started.has(uid))
    .map((one) => {
      const { namespace } = one;
      const wanted = stillTakenBy(one, observed);
      const awaited = awaitedOf(one, reservations);
      if (awaited.length === 0) return { namespace, amounts: wanted, within: wanted };
      const given = (of: readonly Reservation[]) => of.map((other) => givenBack(takenBy(other, observed)));
      const near = awaited.filter((other) => other.namespace === namespace);
      return { namespace, amounts: beside(wanted, given(awaited)), within: beside(wanted, given(near)) };
    });
}

/** The same, and what services will take as soon as there is room for their pods. */
export function pendingIn(
  ledger: Ledger,
  reservations: readonly Reservation[],
  observed: LedgerObserved,
): readonly Pending[] {
  return [...pendingOf(reservations, observed), ...servicesPending(ledger, reservations, observed)];
}

/** What services lack beside what `held` reserve. */
export function servicesPending(
  ledger: Ledger,
  held: readonly Reservation[],
  observed: LedgerObserved,
): readonly Pending[] {
  return serviceDemands(ledger, observed, held).map((one) => ({ ...one, within: one.amounts }));
}

/** Without what pods of it take already that were made while others are still to be. */
function stillTakenBy(reservation: Reservation, observed: LedgerObserved): Amounts {
  const missing = observed.unmade?.get(reservation.uid);
  const wanted = takenBy(reservation, observed);
  return missing === undefined ? wanted : demandOfRest(wanted, { missing, pods: reservation.pods ?? 1 });
}

/** What the Run of a reservation takes from quota while it is under way. */
export function takenBy({ uid, namespace, agent: name }: Reservation, observed: LedgerObserved): Amounts {
  const run = runsByUid(observed.runs).get(uid);
  const agent =
    run === undefined ? observed.agents.get(agentKey(namespace, name)) : sourceOf(run, observed).agent;
  return demandOf(run, agent, observed);
}

/**
 * Reservations without those whose place can never be taken: the quota was lowered below what they want, or their namespace has no
 * share of it any more. Nothing of them was started, so their Runs go back to the queue, and are told there what is wrong.
 */
export function possibleHandovers(
  ledger: Ledger,
  held: readonly Reservation[],
  observed: LedgerObserved,
): readonly Reservation[] {
  if (held.every(({ awaits }) => awaits === undefined)) return held;
  const totals = parseAmounts(ledger.spec.hard);
  const shares = sharing(ledger, observed);
  return held.filter(
    (one) =>
      one.awaits === undefined ||
      (shares.has(one.namespace) && lacking(takenBy(one, observed), totals).length === 0),
  );
}

/** Namespaces that share the totals. */
export function sharing({ spec }: Ledger, { taken }: LedgerObserved): ReadonlySet<string> {
  return new Set((spec.namespaces ?? []).filter((name) => !taken.has(name)));
}

/**
 * Reservations, of which those that wait for nobody any more may start once there is quota in their namespace: that may have to be moved
 * there, and what has just ended is counted a moment longer.
 */
export function startHandovers(
  ledger: Ledger,
  held: readonly Reservation[],
  observed: LedgerObserved,
): readonly Reservation[] {
  if (!held.some(({ awaits }) => awaits?.length === 0)) return held;
  const others = held.filter(({ awaits }) => awaits === undefined);
  const { free, freeIn } = freeAmounts(ledger, observed, pendingOf(others, observed));
  return held.map((one) => {
    if (one.awaits?.length !== 0) return one;
    const room = freeIn.get(one.namespace);
    const wanted = takenBy(one, observed);
    if (room === undefined) return free.size === 0 ? startable(one) : one;
    if (lacking(wanted, room).length > 0) return one;
    subtractKnown(room, wanted);
    return startable(one);
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
  pending: readonly Pending[],
): { readonly free: Amounts; readonly freeIn: ReadonlyMap<string, Map<string, bigint>> } {
  const totals = parseAmounts(ledger.spec.hard);
  const free = new Map(totals);
  const freeIn = new Map<string, Map<string, bigint>>();
  for (const [namespace, quota] of observed.quotas) {
    const { hard, used } = countedQuota(ledger, quota, observed);
    subtractKnown(free, used);
    // A key that is not enforced yet counts as none, lest a Run slip in before it is.
    const room = new Map([...totals.keys()].map((key) => [key, amountOf(hard, key)]));
    subtractKnown(room, used);
    freeIn.set(namespace, room);
  }
  for (const { namespace, amounts, within } of pending) {
    subtractKnown(free, amounts);
    subtractKnown(freeIn.get(namespace) ?? new Map(), within);
  }
  return { free, freeIn };
}

function subtractKnown(from: Map<string, bigint>, amounts: Amounts): void {
  addTo(from, new Map([...amounts].filter(([key]) => from.has(key))), -1n);
}
