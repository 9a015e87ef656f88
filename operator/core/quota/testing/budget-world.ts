// SPDX-License-Identifier: Apache-2.0
import type { BudgetLimit } from '#crds/v1alpha1/budgets';
import type { Price } from '#crds/v1alpha1/price';
import { MAX_METERED_ATTEMPTS } from '#crds/v1alpha1/run-usage';
import { API_VERSION } from '#crds/v1alpha1/names';
import { type Agent, agentKey } from '../../agent/agent.ts';
import { meter } from '../../metering/amounts.ts';
import { formatMicro, parseMicro } from '../../metering/micro.ts';
import { defined } from '../../object.ts';
import { overspending } from '../../run/overspending.ts';
import { planRun } from '../../run/plan.ts';
import { phaseOf, type Run } from '../../run/run.ts';
import { makeAgent, makeRun, NOW, revisionOf } from '../../run/testing/make.ts';
import { NOTHING_SEEN } from '../../run/testing/plan-cases.ts';
import type { Ledger } from '../../tenant/tenant.ts';
import { usedIn } from '../budgets.ts';
import { planLedger } from '../ledger.ts';
import { NOTHING_OF_LEDGER } from './make-ledger.ts';

const NAMESPACE = 'acme-dev';
/** Runs of the world. */
export const RUN_COUNT = 4;

interface View {
  readonly ledger: Ledger;
  readonly runs: readonly Run[];
}

/** What each Run uses at most, and what it reserves. */
export interface WorldChoice {
  readonly budgets: readonly BudgetLimit[];
  /** Run units; undefined: all that it can use, which is a core for 60 seconds and 30 to end. */
  readonly estimate?: number;
  /** Tokens that each reserves; none when left out. */
  readonly tokens?: number;
  /** What the tenant pays to begin with. */
  readonly price?: Price;
}

/** A tenant with budgets, its ledger and Runs, and two operators that decide on what each has seen, which may be old. */
export class BudgetWorld {
  readonly #agent: Agent;
  readonly #budgets: readonly BudgetLimit[];
  #now = NOW;
  #live: View;
  readonly #views: View[];
  /** What was wrong at some moment. */
  readonly faults: string[] = [];
  /** Attempts that were admitted. */
  admitted = 0;
  /** Attempts that were paused, since they had used more than was theirs. */
  paused = 0;

  constructor({ budgets, estimate, tokens, price }: WorldChoice) {
    this.#agent = makeAgent({
      container: { image: 'registry.example.com/agent:1', resources: { requests: { cpu: '1' } } },
      limits: { timeoutSeconds: 60 },
      estimate: defined({ runUnits: estimate, tokens }),
    });
    this.#budgets = budgets;
    const ledger: Ledger = {
      apiVersion: API_VERSION,
      kind: 'QuotaLedger',
      metadata: { name: 'acme', uid: 'ledger-uid', resourceVersion: '1' },
      spec: {
        tenantUID: 'tenant-uid',
        suspended: false,
        namespaces: [NAMESPACE],
        budgets: [...budgets],
        ...(price && { price }),
      },
    };
    const runs = Array.from({ length: RUN_COUNT }, (_, i) => {
      const { metadata, ...run } = makeRun();
      return { ...run, metadata: { ...metadata, name: `r-${i}`, uid: `uid-${i}`, resourceVersion: '1' } };
    });
    this.#live = { ledger, runs };
    this.#views = [this.#live, this.#live];
  }

  /** Time passes. */
  advance(seconds: number): void {
    this.#now = new Date(this.#now.getTime() + seconds * 1000);
  }

  /** The platform has another price from now on, or none: then no budget of cost is in the ledger. */
  setPrice(price: Price | undefined): void {
    const { ledger } = this.#live;
    const { price: _, ...before } = ledger.spec;
    const budgets = this.#budgets.filter(({ unit }) => unit !== 'cost' || price !== undefined);
    const spec = { ...before, budgets, ...defined({ price }) };
    this.#live = { ...this.#live, ledger: nextVersion({ ...ledger, spec }) };
  }

  /** One operator catches up with what is. */
  refresh(operator: number, what: keyof View): void {
    this.#views[operator] = { ...this.#viewOf(operator), [what]: this.#live[what] };
  }

  /** One operator decides on the ledger. Its write fails when it has not seen the last one. */
  passLedger(operator: number): void {
    const { ledger, runs } = this.#viewOf(operator);
    const agents = new Map([[agentKey(NAMESPACE, this.#agent.metadata.name), this.#agent]]);
    const { status } = planLedger(ledger, { ...NOTHING_OF_LEDGER, agents, runs }, this.#now);
    if (isOld(ledger, this.#live.ledger) || JSON.stringify(status) === JSON.stringify(ledger.status)) return;
    this.#live = { ...this.#live, ledger: nextVersion({ ...ledger, status }) };
    this.refresh(operator, 'ledger');
    this.#check(ledger);
  }

  /** One operator decides on a Run. While one is to end, nothing is left of its workload; else that goes on. */
  passRun(operator: number, i: number): void {
    const { ledger, runs } = this.#viewOf(operator);
    const run = runs[i];
    if (run === undefined) return;
    const reservation = ledger.status?.reservations?.find(({ uid }) => uid === run.metadata.uid);
    const cause = overspending(run, { reservation, tenant: undefined }, this.#now);
    if (cause === undefined && goesOn(run)) return;
    const { price } = ledger.spec;
    const agent = this.#agent;
    const seen = { ...NOTHING_SEEN, agent, revision: revisionOf(agent), reservation, price };
    const { status } = planRun(run, seen, this.#now);
    if (status === undefined || isOld(run, this.#live.runs[i])) return;
    if (cause !== undefined && status.phase === 'Queued') this.paused += 1;
    this.#setRun(i, { ...run, status });
    this.refresh(operator, 'runs');
  }

  /** The workload of a Run is made, and its container starts now. */
  start(i: number): void {
    const run = this.#live.runs[i];
    const { child, phase } = run?.status ?? {};
    if (run === undefined || phase !== 'Admitted' || child === undefined) return;
    const startedAt = this.#now.toISOString();
    this.#setRun(i, {
      ...run,
      status: { ...run.status, phase: 'Running', child: { ...child, uid: 'pod' }, startedAt },
    });
  }

  /** The user of a Run pauses it, has it go on, or cancels it. */
  tell(i: number, spec: { readonly suspend?: boolean; readonly cancel?: true }): void {
    const run = this.#live.runs[i];
    if (run !== undefined) this.#setRun(i, { ...run, spec: { ...run.spec, ...spec } });
  }

  /** One operator sees everything and decides until nothing changes. */
  settle(): void {
    for (let pass = 0; pass < 6; pass += 1) {
      this.refresh(0, 'ledger');
      this.refresh(0, 'runs');
      for (let i = 0; i < RUN_COUNT; i += 1) this.passRun(0, i);
      this.passLedger(0);
    }
  }

  /** Millionths that all windows of a length have counted that are kept. */
  counted({ window, unit }: Pick<BudgetLimit, 'window' | 'unit'>): readonly bigint[] {
    const windows = this.#live.ledger.status?.usage?.windows ?? [];
    const key = unit === 'cost' ? unit : 'runUnits';
    return windows
      .filter((one) => one.window === window)
      .map(({ amounts }) => parseMicro(amounts[key] ?? '0'));
  }

  /** Prices that attempts were settled by, the Runs and their attempts in order. */
  get settledPrices(): readonly (Price | undefined)[] {
    return this.#live.runs
      .flatMap(({ status }) => status?.usage?.attempts ?? [])
      .map(({ rate }) => rate.price);
  }

  /** Millionths of cost of Runs that still tell all attempts apart: by the facts of these alone, and as their totals say. */
  get recomputed(): { readonly facts: bigint; readonly totals: bigint } {
    const usages = this.#live.runs
      .map(({ status }) => status?.usage ?? {})
      .filter(({ attempts = [] }) => attempts.length < MAX_METERED_ATTEMPTS);
    const attempts = usages.flatMap((one) => one.attempts ?? []);
    return {
      facts: attempts.reduce((sum, { rate, pods }) => sum + meter(rate, pods).cost, 0n),
      totals: usages.reduce((sum, { total }) => sum + parseMicro(total?.cost ?? '0'), 0n),
    };
  }

  /** Notes where more is used and reserved than a budget allows, though somebody was admitted. */
  #check(before: Ledger): void {
    const { status = {}, spec } = this.#live.ledger;
    const more = (status.lastSerial ?? 0) - (before.status?.lastSerial ?? 0);
    if (more === 0) return;
    this.admitted += more;
    for (const { unit, window, limit } of spec.budgets ?? []) {
      const reserved = (status.reservations ?? []).reduce(
        (sum, one) => sum + parseMicro(one[unit] ?? ''),
        0n,
      );
      const { used } = usedIn(status.usage, { unit, window }, this.#now);
      if (used + reserved <= BigInt(limit) * 1_000_000n) continue;
      this.faults.push(
        `${unit}/${window}: ${formatMicro(used)} used, ${formatMicro(reserved)} reserved of ${limit}`,
      );
    }
  }

  #setRun(i: number, run: Run): void {
    const runs = this.#live.runs.map((one, at) => (at === i ? nextVersion(run) : one));
    this.#live = { ...this.#live, runs };
  }

  #viewOf(operator: number): View {
    return this.#views[operator] ?? this.#live;
  }
}

function goesOn(run: Run): boolean {
  return phaseOf(run) === 'Running' && !run.spec.suspend && !run.spec.cancel;
}

function isOld(seen: Run | Ledger, live: Run | Ledger | undefined): boolean {
  return seen.metadata.resourceVersion !== live?.metadata.resourceVersion;
}

function nextVersion<T extends Run | Ledger>(object: T): T {
  const resourceVersion = String(Number(object.metadata.resourceVersion) + 1);
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}
