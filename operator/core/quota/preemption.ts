// SPDX-License-Identifier: Apache-2.0
import { MAX_AWAITED, type Preemptor, type Reservation } from '#crds/v1alpha1/quota-ledger';
import { agentKey } from '../agent/agent.ts';
import { isEnding } from '../run/interruption.ts';
import { isAdmittedBy } from '../run/preemption.ts';
import { phaseOf, priorityOf, type Run } from '../run/run.ts';
import type { Ledger } from '../tenant/tenant.ts';
import type { Candidate } from './admit.ts';
import { addTo, type Amounts, amountOf, lacking, larger, parseAmounts, smaller } from './amounts.ts';
import { givenBack } from './demand.ts';
import { beside } from './handover.ts';
import type { LedgerObserved } from './ledger.ts';
import { ageOf, PRIORITY_AGING_SECONDS, type Queued, queueOrder } from './queue-order.ts';
import { runsByUid } from './runs-by-uid.ts';
import { agentLimits, freeAmounts, type Pending, pendingOf, servicesPending, takenBy } from './stock.ts';

/** A Run that can be ended for another one. */
interface Victim {
  readonly reservation: Reservation;
  readonly queued: Queued;
  readonly startedAt: string;
  /** What is free when it has ended. */
  readonly gives: Amounts;
}

/** What the stock of a tenant is worked out from. */
export interface PreemptionInput {
  readonly ledger: Ledger;
  readonly held: readonly Reservation[];
  readonly observed: LedgerObserved;
}

/** The name of the stock of places for Runs. */
const PLACES = 'places';

/**
 * Whose place a Run takes over that lacks quota of its tenant: that of as few as possible, all of lower priority and behind it in the
 * queue, so that none of them is back before it. It counts what those who are leaving anyhow are going to give back: who will fit beside that ends
 * nobody. Whether somebody may start is never decided here.
 *
 * What Runs hold is known by their reservations at once. ResourceQuotas tell of everything else too, but may still count what has just
 * ended, so nobody is ended who is too many by these alone: neither for a count that is late, nor for what is no Run.
 */
export class PreemptionBook {
  /** By uid, whom Runs that hold a reservation have to make room for since this pass. */
  readonly marks = new Map<string, Preemptor>();
  readonly #input: PreemptionInput;
  /** What somebody ahead lacks for whom nobody can be ended: who is behind has no right to it either. */
  readonly #contested = new Set<string>();
  readonly #order: (a: Queued, b: Queued) => number;
  /** Those that were counted before anybody asked: most passes have nobody who does. */
  readonly #early: Candidate[] = [];
  #opened: Stock | undefined;

  constructor(input: PreemptionInput) {
    this.#input = input;
    this.#order = queueOrder(input.ledger.spec.priorityAgingSeconds ?? PRIORITY_AGING_SECONDS);
  }

  /** Whether it is enough for `candidate` to wait for those who are leaving anyhow. */
  willFit(candidate: Candidate): boolean {
    return lacking(needsOf(candidate), this.#stock.sure).length === 0;
  }

  /** Counts what `candidate` has, or is going to have before those behind it. */
  take(candidate: Candidate): void {
    if (this.#opened === undefined) this.#early.push(candidate);
    else takeFrom(this.#opened, candidate);
  }

  /** Those from whom `candidate` can take over. None: it waits, and nobody behind it may take what it lacks. */
  victimsFor(candidate: Candidate): readonly Reservation[] {
    const needs = needsOf(candidate);
    const found = this.#isOpen(needs) ? this.#choose(candidate, needs) : [];
    if (found.length === 0) for (const key of lacking(needs, this.#stock.sure)) this.#contested.add(key);
    return found.map(({ reservation }) => reservation);
  }

  /** Has `victims` make room for `candidate`, and tells what that takes beside what they hold until then. */
  handOver(candidate: Candidate, victims: readonly Reservation[]): Omit<Pending, 'namespace'> {
    const stock = this.#stock;
    const uids = new Set(victims.map(({ uid }) => uid));
    const { namespace, name, priority, demand } = candidate;
    const ended = stock.victims.filter((one) => uids.has(one.reservation.uid));
    for (const { reservation, gives } of ended) {
      this.marks.set(reservation.uid, { namespace, name, priority });
      for (const left of [stock.sure, stock.seen]) addKnown(left, gives);
    }
    stock.victims = stock.victims.filter((one) => !uids.has(one.reservation.uid));
    this.take(candidate);
    const near = ended.filter(({ reservation }) => reservation.namespace === namespace);
    return { amounts: beside(demand, ended.map(givesOf)), within: beside(demand, near.map(givesOf)) };
  }

  get #stock(): Stock {
    if (this.#opened === undefined) {
      this.#opened = stockOf(this.#input);
      for (const one of this.#early) takeFrom(this.#opened, one);
    }
    return this.#opened;
  }

  /** Whether nobody ahead waits for any of it, and none of it is overdrawn: what was lowered below its use comes back by itself. */
  #isOpen(needs: Amounts): boolean {
    const { sure, seen } = this.#stock;
    return [...needs.keys()].every((key) => {
      const left = smaller(sure.get(key) ?? 0n, seen.get(key) ?? 0n);
      return !this.#contested.has(key) && left >= 0n;
    });
  }

  #choose(candidate: Candidate, needs: Amounts): readonly Victim[] {
    const { gpu, pods = 1, priority } = candidate;
    const short = shortOf(needs, this.#stock);
    const isEligible = ({ queued }: Victim) =>
      queued.priority < priority && this.#order(candidate, queued) < 0;
    const { victims } = this.#stock;
    // Devices are handed over on their nodes: from one Run, which has them all.
    const hasDevices = ({ reservation }: Victim) =>
      gpu === undefined || holdsDevices(reservation, { ...gpu, pods });
    const one = victims.find((victim) => hasDevices(victim) && covers(short, [victim]) && isEligible(victim));
    if (one !== undefined) return [one];
    return gpu === undefined ? fewest(short, victims.filter(isEligible)) : [];
  }
}

/** What is left of the quotas of a tenant for those who wait, and who could be ended for them. */
interface Stock {
  /** Beside what Runs hold, by reservations alone. */
  readonly sure: Map<string, bigint>;
  /** Beside all that is counted. */
  readonly seen: Map<string, bigint>;
  /** In the order in which they are ended. */
  victims: readonly Victim[];
}

function stockOf({ ledger, held, observed }: PreemptionInput): Stock {
  const runs = runsByUid(observed.runs);
  const leaving = new Set(held.filter((one) => isLeaving(one, runs.get(one.uid))));
  const staying = held.filter((one) => !leaving.has(one));
  const sure = new Map([...limitsOf(ledger, observed), ...sureTotals(ledger, observed)]);
  for (const one of staying) addKnown(sure, loadOf(one, takenBy(one, observed)), -1n);
  // What a service lacks goes before Runs: nobody is ended for another one while it takes what they leave.
  const pending = [...pendingOf(staying, observed), ...servicesPending(ledger, held, observed)];
  const { free } = freeAmounts(ledger, observed, pending);
  const seen = new Map([...sure, ...free]);
  for (const one of leaving) {
    if (observed.started.has(one.uid)) addKnown(seen, givenBack(takenBy(one, observed)));
  }
  const victims = staying
    .flatMap((one) => victimsOf(one, runs.get(one.uid), observed))
    .toSorted((a, b) => a.queued.priority - b.queued.priority || byStart(a, b));
  return { sure, seen, victims };
}

function takeFrom({ sure, seen }: Stock, candidate: Candidate): void {
  for (const left of [sure, seen]) addKnown(left, needsOf(candidate), -1n);
}

/** What is missing for `needs`, by either count. */
function shortOf(needs: Amounts, { sure, seen }: Stock): Amounts {
  const short = new Map<string, bigint>();
  for (const [key, milli] of needs) {
    const left = sure.get(key);
    if (left === undefined) continue;
    const missing = milli - smaller(left, seen.get(key) ?? left);
    if (missing > 0n) short.set(key, missing);
  }
  return short;
}

/** Whose place Runs of a tenant take over; undefined where it ends nobody for another. */
export function preemptionBook(input: PreemptionInput): PreemptionBook | undefined {
  return input.ledger.spec.preemption === 'LowerPriority' ? new PreemptionBook(input) : undefined;
}

/** As few as cover what is missing; of these the lowest priorities, and the latest starts. Nobody among them could be spared. */
function fewest(short: Amounts, eligible: readonly Victim[]): readonly Victim[] {
  const chosen: Victim[] = [];
  for (const victim of eligible.toSorted((a, b) => helpOf(b, short) - helpOf(a, short))) {
    if (covers(short, chosen) || chosen.length === MAX_AWAITED) break;
    chosen.push(victim);
  }
  if (!covers(short, chosen)) return [];
  return gentlest(short, { chosen: spared(short, chosen), eligible });
}

/** Those of `chosen` without whom it is not enough. */
function spared(short: Amounts, chosen: readonly Victim[]): readonly Victim[] {
  return chosen.reduceRight<readonly Victim[]>((left, victim) => {
    const others = left.filter((one) => one !== victim);
    return covers(short, others) ? others : left;
  }, chosen);
}

/** The same number, where each who could be replaced by somebody that is to be ended before him is. */
function gentlest(
  short: Amounts,
  { chosen, eligible }: { readonly chosen: readonly Victim[]; readonly eligible: readonly Victim[] },
): readonly Victim[] {
  const rank = new Map(eligible.map((one, i) => [one, i]));
  const rankOf = (one: Victim) => rank.get(one) ?? 0;
  const worstFirst = chosen.toSorted((a, b) => rankOf(b) - rankOf(a));
  return worstFirst
    .reduce<readonly Victim[]>((left, victim) => {
      const others = left.filter((one) => one !== victim);
      const better = eligible
        .slice(0, rankOf(victim))
        .find((one) => !others.includes(one) && covers(short, [...others, one]));
      return [...others, better ?? victim];
    }, worstFirst)
    .toSorted((a, b) => rankOf(a) - rankOf(b));
}

function covers(short: Amounts, victims: readonly Victim[]): boolean {
  return [...short].every(
    ([key, milli]) => victims.reduce((sum, { gives }) => sum + amountOf(gives, key), 0n) >= milli,
  );
}

/** How much of what is missing a Run would give back: the sum of its parts of each. */
function helpOf({ gives }: Victim, short: Amounts): number {
  return [...short].reduce(
    (sum, [key, milli]) => sum + Number(smaller(amountOf(gives, key), milli)) / Number(larger(milli, 1n)),
    0,
  );
}

function givesOf({ gives }: Victim): Amounts {
  return gives;
}

/** Whether what a Run has is enough wherever its pods are: each may be alone on its node, so each makes room for whole pods. */
function holdsDevices(
  { gpuClass, gpus = 0, pods = 1 }: Reservation,
  wanted: { readonly class: string; readonly count: number; readonly pods: number },
): boolean {
  const each = wanted.count / wanted.pods;
  return gpuClass === wanted.class && Math.floor(gpus / pods / each) * pods >= wanted.pods;
}

/** Whether what a reservation holds is given back without anybody doing more for it; also of a Run that is not seen any more. */
function isLeaving({ preemptedBy, overspent }: Reservation, run: Run | undefined): boolean {
  return run === undefined || preemptedBy !== undefined || overspent !== undefined || isEnding(run);
}

function victimsOf(one: Reservation, run: Run | undefined, observed: LedgerObserved): readonly Victim[] {
  const agent = observed.agents.get(agentKey(one.namespace, one.agent));
  if (run === undefined || phaseOf(run) === 'Queued' || !isAdmittedBy(run, one)) return [];
  if (agent === undefined || !agent.spec.preemptible) return [];
  const { startedAt = run.status?.admittedAt ?? '' } = run.status ?? {};
  const gives = loadOf(one, givenBack(takenBy(one, observed)));
  return [{ reservation: one, queued: { ...ageOf(run), priority: priorityOf(run) }, startedAt, gives }];
}

/** The latest start first: the least of its work is lost. */
function byStart(a: Victim, b: Victim): number {
  if (a.startedAt !== b.startedAt) return a.startedAt > b.startedAt ? -1 : 1;
  return a.reservation.uid < b.reservation.uid ? -1 : 1;
}

/** What the ledger itself counts, by the names that `loadOf` has. */
function limitsOf({ spec }: Ledger, observed: LedgerObserved): Amounts {
  const { maxConcurrentRuns, gpus = [] } = spec;
  return new Map([
    ...(maxConcurrentRuns === undefined ? [] : [[PLACES, BigInt(maxConcurrentRuns)] as const]),
    ...[...agentLimits(observed)].map(([key, limit]) => [`agent/${key}`, BigInt(limit)] as const),
    ...gpus.map((one) => [`gpu/${one.class}`, BigInt(one.count)] as const),
  ]);
}

/** Totals without what NexusOS and Kubernetes make in each namespace. */
function sureTotals({ spec }: Ledger, { ownObjects }: LedgerObserved): Amounts {
  const totals = new Map(parseAmounts(spec.hard));
  addKnown(totals, ownObjects, -BigInt(spec.namespaces?.length ?? 0));
  return totals;
}

function needsOf({ namespace, agent, gpu, demand }: Candidate): Amounts {
  const devices = gpu === undefined ? {} : { gpuClass: gpu.class, gpus: gpu.count };
  return loadOf({ namespace, agent, ...devices }, demand);
}

function loadOf(
  { namespace, agent, gpuClass, gpus = 0 }: Pick<Reservation, 'namespace' | 'agent' | 'gpuClass' | 'gpus'>,
  demand: Amounts,
): Amounts {
  return new Map([
    ...demand,
    [PLACES, 1n],
    [`agent/${agentKey(namespace, agent)}`, 1n],
    ...(gpuClass === undefined ? [] : [[`gpu/${gpuClass}`, BigInt(gpus)] as const]),
  ]);
}

function addKnown(stock: Map<string, bigint>, amounts: Amounts, times = 1n): void {
  addTo(stock, new Map([...amounts].filter(([key]) => stock.has(key))), times);
}
