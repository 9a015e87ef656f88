// SPDX-License-Identifier: Apache-2.0
import { isOpenTo, type Tenancy } from './node.ts';
import type { ClassSupply, DevicePlace, Supply } from './supply.ts';

/** Devices of one class that a Run of a tenant wants on one node. */
export interface DeviceWish extends Tenancy {
  readonly class: string;
  readonly count: number;
}

/** What one Run wants. */
export interface DeviceDemand extends DeviceWish {
  /** UID of the Run. */
  readonly uid: string;
}

/** What one Run of a tenant could have of a class. */
export interface Offer {
  /** Free in all. */
  readonly free: number;
  /** The most that are free on one node. */
  readonly largestFree: number;
  /** The most that one node has, free or not. */
  readonly largest: number;
}

/**
 * Free devices while they are given away one Run after the other. A pod is on one node, so a Run of n devices takes a node with n
 * free ones: the one that it leaves the fewest on, which keeps large blocks whole.
 */
export class DeviceRoom {
  readonly #supply: Supply;
  readonly #free = new Map<string, number>();
  /** Places by who may have them, as `groupOf` says. */
  readonly #places = new Map<string, readonly DevicePlace[]>();
  /** The least of what was asked for in vain, likewise. */
  readonly #hopeless = new Map<string, number>();
  /** Nodes that are set aside for a Run that has waited for long. */
  readonly #closed = new Set<string>();

  constructor(supply: Supply) {
    this.#supply = supply;
    for (const [key, { capacity, used, isUsable }] of supply.stocks) {
      this.#free.set(key, isUsable ? Math.max(0, capacity - used) : 0);
    }
  }

  /** The class, if Runs wait for its devices: not if it is unknown, cannot be counted, gets its nodes on demand, or is for others to give. */
  waitedFor(name: string): ClassSupply | undefined {
    const found = this.#supply.classes.get(name);
    if (found === undefined || found.uncounted !== undefined) return undefined;
    return found.isOnDemand || found.isElsewhere === true ? undefined : found;
  }

  /** What a Run could have now. */
  offer(demand: DeviceWish): Offer {
    const places = this.#placesFor(demand);
    const free = places.map((place) => this.freeOn(place));
    return {
      free: free.reduce((sum, one) => sum + one, 0),
      largestFree: free.reduce((a, b) => Math.max(a, b), 0),
      largest: places.reduce((most, place) => Math.max(most, this.#sum(place, 'capacity')), 0),
    };
  }

  /**
   * Takes the devices on the node where they fit tightest: with the fewest left over, of equal ones in the pool with the fewest
   * free, then by name. Undefined where they fit nowhere.
   */
  take(demand: DeviceDemand): DevicePlace | undefined {
    const group = groupOf(demand);
    // Within a room, what is free only gets less: who asks for as much as somebody who found nothing need not look.
    if (demand.count >= (this.#hopeless.get(group) ?? Infinity)) return undefined;
    const places = this.#placesFor(demand);
    const best = this.#tightest(places, demand.count);
    if (best === undefined) this.#hopeless.set(group, demand.count);
    else this.#takeFrom(best, demand.count);
    return best;
  }

  /**
   * Sets the node aside that will have enough for `demand` first: of those that could hold it beside what does not belong to
   * Runs, the one with the most free. False where there is none, since nothing that we know of would make room there.
   */
  setAside(demand: DeviceDemand): boolean {
    const places = this.#placesFor(demand).filter(
      (place) =>
        this.#isUsable(place) && this.#sum(place, 'capacity') - this.#sum(place, 'foreign') >= demand.count,
    );
    const best = places.reduce<DevicePlace | undefined>((a, b) => {
      if (a === undefined || this.freeOn(b) > this.freeOn(a)) return b;
      return this.freeOn(b) === this.freeOn(a) ? firstByName(a, b) : a;
    }, undefined);
    if (best !== undefined) this.#closed.add(best.node.name);
    return best !== undefined;
  }

  /** Devices of a class that are free on a node. */
  freeOn({ node, stocks }: DevicePlace): number {
    if (this.#closed.has(node.name)) return 0;
    let free = 0;
    for (const key of stocks) free += this.#free.get(key) ?? 0;
    return free;
  }

  #placesFor(demand: DeviceWish): readonly DevicePlace[] {
    const group = groupOf(demand);
    const known = this.#places.get(group);
    if (known !== undefined) return known;
    const { places = [] } = this.#supply.classes.get(demand.class) ?? {};
    const found = places.filter(({ node }) => isOpenTo(node, demand));
    this.#places.set(group, found);
    return found;
  }

  #tightest(places: readonly DevicePlace[], count: number): DevicePlace | undefined {
    let best: DevicePlace[] = [];
    let least = Infinity;
    for (const place of places) {
      const free = this.freeOn(place);
      if (free < count || free > least) continue;
      if (free < least) best = [];
      least = free;
      best.push(place);
    }
    const isOnePool = best.every(({ node }) => node.pool === best[0]?.node.pool);
    return isOnePool
      ? best.reduce<DevicePlace | undefined>(firstByName, undefined)
      : this.#inTightestPool(places, best);
  }

  #inTightestPool(places: readonly DevicePlace[], best: readonly DevicePlace[]): DevicePlace | undefined {
    const pools = new Map<string, number>();
    for (const place of places) {
      pools.set(place.node.pool, (pools.get(place.node.pool) ?? 0) + this.freeOn(place));
    }
    const poolOf = ({ node }: DevicePlace) => pools.get(node.pool) ?? 0;
    const least = best.reduce((a, b) => Math.min(a, poolOf(b)), Infinity);
    return best
      .filter((place) => poolOf(place) === least)
      .reduce<DevicePlace | undefined>(firstByName, undefined);
  }

  #takeFrom({ stocks }: DevicePlace, count: number): void {
    let missing = count;
    for (const key of stocks) {
      const free = this.#free.get(key) ?? 0;
      const taken = Math.min(free, missing);
      this.#free.set(key, free - taken);
      missing -= taken;
    }
  }

  #sum({ stocks }: DevicePlace, what: 'capacity' | 'foreign'): number {
    return stocks.reduce((sum, key) => sum + (this.#supply.stocks.get(key)?.[what] ?? 0), 0);
  }

  #isUsable({ node }: DevicePlace): boolean {
    return node.isUsable && !this.#closed.has(node.name);
  }
}

/** Tenants of tier Soft may have the same nodes. */
function groupOf({ class: name, tenant, isHard }: DeviceWish): string {
  return isHard ? `${name} ${tenant}` : name;
}

function firstByName(a: DevicePlace | undefined, b: DevicePlace): DevicePlace {
  return a === undefined || b.node.name < a.node.name ? b : a;
}
