// SPDX-License-Identifier: Apache-2.0
import { isOpenTo, type Tenancy } from './node.ts';
import type { ClassSupply, DevicePlace, Supply } from './supply.ts';

/** Devices of one class that a Run of a tenant wants. */
export interface DeviceWish extends Tenancy {
  readonly class: string;
  /** Of one pod, so on one node. */
  readonly count: number;
  /** Pods that want so many each, all or none; one when left out. */
  readonly pods?: number;
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
  /** Pods of it that would find theirs now. */
  readonly pods: number;
  /** Pods of it that would if nothing was in use. */
  readonly mostPods: number;
}

/**
 * Free devices while they are given away one Run after the other. A pod is on one node, so a Run of n devices takes a node with n
 * free ones: the one that it leaves the fewest on, which keeps large blocks whole. A Run of many pods takes as few nodes as it can.
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
    const all = places.map((place) => this.#sum(place, 'capacity'));
    return {
      free: free.reduce((sum, one) => sum + one, 0),
      largestFree: free.reduce((a, b) => Math.max(a, b), 0),
      largest: all.reduce((a, b) => Math.max(a, b), 0),
      pods: podsOn(free, demand.count),
      mostPods: podsOn(all, demand.count),
    };
  }

  /**
   * Takes the devices on the node where they fit tightest: with the fewest left over, of equal ones in the pool with the fewest
   * free, then by name. Of many pods, on as few nodes as possible. Returns the node of each pod; undefined where they do not all fit.
   */
  take(demand: DeviceDemand): readonly DevicePlace[] | undefined {
    const { count, pods = 1 } = demand;
    const group = groupOf(demand);
    // Within a room, what is free only gets less: who asks for as much as somebody who found nothing need not look.
    if (count >= (this.#hopeless.get(group) ?? Infinity)) return undefined;
    const places = this.#placesFor(demand);
    const together = this.#tightest(places, count * pods);
    const found = together === undefined ? this.#spread(places, { count, pods }) : repeated(together, pods);
    // That many do not fit says nothing of one.
    if (found === undefined && pods === 1) this.#hopeless.set(group, count);
    for (const place of found ?? []) this.#takeFrom(place, count);
    return found;
  }

  /**
   * Sets the node aside that will have enough for `demand` first: of those that could hold it beside what does not belong to
   * Runs, the one with the most free; of many pods, as many nodes as they need. False where there are none, since nothing that we know
   * of would make room there.
   */
  setAside(demand: DeviceDemand): boolean {
    const { count, pods = 1 } = demand;
    const couldHold = (place: DevicePlace) =>
      Math.floor((this.#sum(place, 'capacity') - this.#sum(place, 'foreign')) / count);
    const places = this.#placesFor(demand).filter((place) => this.#isUsable(place) && couldHold(place) >= 1);
    const chosen: DevicePlace[] = [];
    let left = pods;
    for (const place of places.toSorted((a, b) => this.#byFree(a, b))) {
      if (left <= 0) break;
      chosen.push(place);
      left -= couldHold(place);
    }
    if (left > 0) return false;
    for (const { node } of chosen) this.#closed.add(node.name);
    return true;
  }

  /** Whether all pods of `demand` would find theirs now. */
  hasRoomFor(demand: DeviceWish): boolean {
    return this.offer(demand).pods >= (demand.pods ?? 1);
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

  /**
   * The nodes of many pods that do not fit on one: the largest first, which are the fewest that do, and for the last of them the one with
   * the fewest left over.
   */
  #spread(
    places: readonly DevicePlace[],
    { count, pods }: { readonly count: number; readonly pods: number },
  ): readonly DevicePlace[] | undefined {
    const found: DevicePlace[] = [];
    const open = new Set(places.toSorted((a, b) => this.#byFree(a, b)));
    for (const place of open) {
      const rest = this.#tightest([...open], count * (pods - found.length));
      if (rest !== undefined) return [...found, ...repeated(rest, pods - found.length)];
      found.push(...repeated(place, Math.floor(this.freeOn(place) / count)));
      open.delete(place);
    }
    return undefined;
  }

  /** The one with more free first, of equal ones by name. */
  #byFree(a: DevicePlace, b: DevicePlace): number {
    return this.freeOn(b) - this.freeOn(a) || (a.node.name < b.node.name ? -1 : 1);
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

/** Pods of `count` devices each that fit on nodes with so many. */
function podsOn(devices: readonly number[], count: number): number {
  return devices.reduce((sum, one) => sum + Math.floor(one / count), 0);
}

function repeated(place: DevicePlace, times: number): readonly DevicePlace[] {
  return Array.from({ length: times }, () => place);
}

function firstByName(a: DevicePlace | undefined, b: DevicePlace): DevicePlace {
  return a === undefined || b.node.name < a.node.name ? b : a;
}
