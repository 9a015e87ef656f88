// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { MICRO, parseMicro } from '../../core/metering/micro.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import type { LedgerWitness } from './ledger-witness.ts';
import type { UsageHistory } from '#crds/v1alpha1/usage-history';

type Tier = UsageHistory['tiers'][number]['tier'];

/** Labels of what was used. */
export interface UsedBy {
  readonly tenant: string;
  readonly tier: Tier;
}

/** Where run units are counted, and Runs that others call. */
export interface RunUnitsMeterOptions {
  /** Takes run units that were used since the last time. */
  readonly count: (labels: UsedBy, runUnits: number) => void;
  /** Takes what was paid since the last time, in millionths of the currency. */
  readonly countCost?: (labels: UsedBy, micros: number) => void;
  /** Takes how many Runs that others have called were given a place since the last time, not counting what is tried again. */
  readonly countChildren?: (labels: Pick<UsedBy, 'tenant'>, runs: number) => void;
  /** So many tenants are told by name, those that use something first; the rest as `_other`. */
  readonly maxTenants: number;
}

/** No tenant can have that name: names of objects have no underscore. */
const OTHER = '_other';

/** In millionths. */
interface TierUse {
  readonly runUnits: bigint;
  readonly cost: bigint;
}

const NOTHING: TierUse = { runUnits: 0n, cost: 0n };

interface Told {
  readonly name: string;
  readonly tiers: ReadonlyMap<Tier, TierUse>;
  readonly lastSerial: number;
}

/** Runs that others call, and that were given a place for the first time after that one. */
function childrenIn(reservations: readonly Reservation[], lastSerial: number): number {
  const isNew = ({ call, attempt, serial = 0 }: Reservation) =>
    call !== undefined && attempt === 1 && serial > lastSerial;
  return reservations.filter((one) => isNew(one)).length;
}

/**
 * Tells what ledgers have counted since this process saw them first, or led anew: of several replicas, each tells what was counted
 * while it led.
 */
export class RunUnitsMeter implements LedgerWitness {
  readonly #options: RunUnitsMeterOptions;
  /** By uid of the ledger: what was told, or there before. */
  readonly #told = new Map<string, Told>();
  /** Names stay when their tenants go: their figures are still told, and so many there may be. */
  readonly #named = new Set<string>();

  constructor(options: RunUnitsMeterOptions) {
    this.#options = options;
  }

  /** Looks at a ledger as it is now. */
  see({ metadata, status = {} }: Ledger): void {
    const { uid = '', name } = metadata;
    const before = this.#told.get(uid);
    const { usage, lastSerial = 0, reservations = [] } = status;
    const tiers = new Map(
      (usage?.tiers ?? []).map(({ tier, runUnits, cost = '0' }) => {
        return [tier, { runUnits: parseMicro(runUnits), cost: parseMicro(cost) }];
      }),
    );
    this.#told.set(uid, { name, tiers, lastSerial });
    if (before === undefined) return;
    this.#countChildren(name, childrenIn(reservations, before.lastSerial));
    this.#countUnits(name, tiers, before.tiers);
  }

  #countUnits(tenant: string, tiers: Told['tiers'], before: Told['tiers']): void {
    for (const [tier, { runUnits, cost }] of tiers) {
      const told = before.get(tier) ?? NOTHING;
      const [units, paid] = [runUnits - told.runUnits, cost - told.cost];
      if (units > 0n)
        this.#options.count({ tenant: this.#labelOf(tenant), tier }, Number(units) / Number(MICRO));
      if (paid > 0n) this.#options.countCost?.({ tenant: this.#labelOf(tenant), tier }, Number(paid));
    }
  }

  #countChildren(tenant: string, children: number): void {
    if (children > 0) this.#options.countChildren?.({ tenant: this.#labelOf(tenant) }, children);
  }

  /** Forgets a ledger that is gone. */
  forget({ metadata: { uid = '' } }: Ledger): void {
    this.#told.delete(uid);
  }

  /** Takes ledgers for new ones, by default all: what was counted while another replica worked on them, that one has told. */
  startAnew(isNew: (ledger: string) => boolean = () => true): void {
    for (const [uid, { name }] of this.#told) if (isNew(name)) this.#told.delete(uid);
  }

  #labelOf(tenant: string): string {
    if (this.#named.size < this.#options.maxTenants) this.#named.add(tenant);
    return this.#named.has(tenant) ? tenant : OTHER;
  }
}
