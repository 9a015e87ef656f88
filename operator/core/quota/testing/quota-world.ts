// SPDX-License-Identifier: Apache-2.0
import { type Amounts, amountOf, NO_AMOUNTS } from '../amounts.ts';
import { dealGrants, type Demand, type Grant, isOutdated, type SeenQuota } from '../grants.ts';
import { MILLI } from '../quantity.ts';

/** Namespaces of the simulated tenant. */
export const NAMES = ['a', 'b', 'c'] as const;

const KEY = 'pods';
/** Writes that may be under way; those of a few passes. */
const MAX_LATE = 8;
const NOTHING_SEEN: SeenQuota = { revision: 0, specHard: NO_AMOUNTS, hard: NO_AMOUNTS, used: NO_AMOUNTS };

interface Quota {
  readonly version: number;
  readonly seen: SeenQuota;
}

interface View {
  readonly ledger: { readonly version: number; readonly grants: readonly Grant[] };
  readonly quotas: ReadonlyMap<string, Quota>;
}

/**
 * A tenant with three namespaces and a quota of pods, as the API server keeps it: a ledger and ResourceQuotas with
 * resource versions, a quota controller that copies spec to status late, and admission by compare-and-swap on that
 * status. Two operators see it through caches that lag by any amount, and write ResourceQuotas as late as they like.
 */
export class QuotaWorld {
  readonly total: bigint;
  readonly #late: (() => void)[] = [];
  #ledger: View['ledger'] = { version: 0, grants: [] };
  #quotas: ReadonlyMap<string, Quota> = new Map();
  readonly #views: View[];

  /** A world in which `pods` have been dealt out and all is settled. */
  constructor(pods: number) {
    this.total = BigInt(pods) * MILLI;
    this.#views = [this.#look(), this.#look()];
    this.settle([]);
    this.refresh(1, 'ledger');
    this.refresh(1, 'quotas');
  }

  /** Pods that exist, in thousandths. */
  get used(): bigint {
    return [...this.#quotas.values()].reduce((sum, { seen }) => sum + amountOf(seen.used, KEY), 0n);
  }

  /** An operator's watch catches up. */
  refresh(operator: number, what: keyof View): void {
    this.#views[operator] = { ...this.#viewOf(operator), [what]: this.#look()[what] };
  }

  /**
   * A pass of an operator: it commits by compare-and-swap; its ResourceQuotas are still to be written. Returns whether
   * it wanted to change the ledger.
   */
  pass(operator: number, demands: readonly Demand[]): boolean {
    const { ledger, quotas } = this.#viewOf(operator);
    const { grants } = dealGrants({
      totals: new Map([[KEY, this.total]]),
      namespaces: NAMES.map((name) => ({
        name,
        isLeaving: false,
        grant: ledger.grants.find(({ namespace }) => namespace === name),
        seen: quotas.get(name)?.seen,
      })),
      demands,
    });
    const isChanged = textOf(grants) !== textOf(ledger.grants);
    if (isChanged) {
      if (ledger.version !== this.#ledger.version) return true;
      this.#ledger = { version: ledger.version + 1, grants };
      this.#views[operator] = { ledger: this.#ledger, quotas };
    }
    for (const grant of grants) {
      const live = quotas.get(grant.namespace);
      if (!isOutdated(grant, live?.seen)) this.#late.push(() => this.#write(grant, live?.version));
    }
    // The rest is lost, as in a crash.
    this.#late.splice(0, Math.max(0, this.#late.length - MAX_LATE));
    return isChanged;
  }

  /** One of the writes that are under way arrives, in no order. */
  arrive(index: number): void {
    if (this.#late.length > 0) this.#late.splice(index % this.#late.length, 1)[0]?.();
  }

  /** The quota controller takes over what a ResourceQuota says. */
  syncStatus(name: string): void {
    const seen = this.#quotas.get(name)?.seen ?? NOTHING_SEEN;
    if (seen.hard !== seen.specHard) this.#put(name, { ...seen, hard: seen.specHard });
  }

  /** Pods are created, or deleted; returns whether they could be. */
  use(name: string, pods: number): boolean {
    const seen = this.#quotas.get(name)?.seen ?? NOTHING_SEEN;
    const used = amountOf(seen.used, KEY) + BigInt(pods) * MILLI;
    if (used < 0n || (pods > 0 && used > amountOf(seen.hard, KEY))) return false;
    const amounts: Amounts = new Map([[KEY, used]]);
    this.#put(name, { ...seen, used: amounts });
    return true;
  }

  /** Everything arrives and one operator goes on until nothing changes; false when it never comes to rest. */
  settle(demands: readonly Demand[]): boolean {
    for (let pass = 0; pass < 10; pass += 1) {
      this.refresh(0, 'ledger');
      this.refresh(0, 'quotas');
      const isChanged = this.pass(0, demands);
      for (const write of this.#late.splice(0)) write();
      for (const name of NAMES) this.syncStatus(name);
      if (!isChanged && pass > 4) return true;
    }
    return false;
  }

  #write({ namespace, hard, revision }: Grant, version: number | undefined): void {
    const live = this.#quotas.get(namespace);
    if (live === undefined) this.#put(namespace, { ...NOTHING_SEEN, revision, specHard: hard });
    else if (live.version === version && live.seen.revision !== revision) {
      this.#put(namespace, { ...live.seen, revision, specHard: hard });
    }
  }

  #put(name: string, seen: SeenQuota): void {
    const version = (this.#quotas.get(name)?.version ?? 0) + 1;
    this.#quotas = new Map([...this.#quotas, [name, { version, seen }]]);
  }

  #look(): View {
    return { ledger: this.#ledger, quotas: this.#quotas };
  }

  #viewOf(operator: number): View {
    return this.#views[operator] ?? this.#look();
  }
}

/** That `pods` want to start in a namespace. */
export function demandOf(namespace: string, pods: number): Demand {
  return { namespace, amounts: new Map([[KEY, BigInt(pods) * MILLI]]) };
}

function textOf(grants: readonly Grant[]): string {
  return JSON.stringify(grants, (_, value: unknown) =>
    value instanceof Map ? [...value].map(([key, milli]) => [key, String(milli)]) : value,
  );
}
