// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { Waiting } from '../quota/admit.ts';
import type { Tenancy } from './node.ts';
import { type DeviceDemand, DeviceRoom, type Offer } from './room.ts';
import type { DevicePlace, Supply } from './supply.ts';

/** The first Run of a tenant that waits for devices of a class. */
export interface DeviceWaiter extends DeviceDemand {
  /** Since when it is the first of its tenant, in milliseconds. */
  readonly sinceMs: number;
  /** Devices of the class that its tenant holds, for each unit of the weight of its plan. */
  readonly share: number;
}

/** What devices are given away on. */
export interface DeviceQueueInput {
  readonly supply: Supply;
  /** Who was admitted and has no devices yet. */
  readonly pending: readonly DeviceDemand[];
  /** The first ones of all tenants; in any order. */
  readonly waiters: readonly DeviceWaiter[];
  readonly nowMs: number;
}

/** How much waiting each device that a tenant holds is worth, for each unit of its weight: at its turn it counts as that much later. */
export const SHARE_MS = 600_000;
/** After so long, a node is kept free of others for a Run that fits nowhere. */
export const PATIENCE_MS = 60_000;

/**
 * Who gets which devices, over all tenants. Who was admitted comes first, then the first waiting Run of each tenant, then
 * anybody. Every tenant looks at the same order, so the one whose turn it is finds its devices free whoever is looked at first.
 *
 * The first ones go by how long they have been that, less `SHARE_MS` for each device that their tenant holds by weight. So
 * those who hold less go first, and in the long run each holds as much as its weight allows; but nobody is overtaken by who
 * comes later than its devices are worth, so nobody starves.
 *
 * A Run that fits nowhere lets others pass for `PATIENCE_MS`; then one node is set aside for it, one of each class, and
 * nobody else gets anything there until it has enough.
 */
export class DeviceQueue {
  /** Where those that were admitted, and those whose turn it is, are thought to go: one place for each pod. By uid of the Run. */
  readonly placements: ReadonlyMap<string, readonly DevicePlace[]>;
  readonly #room: DeviceRoom;
  /** Those whose turn it is. */
  readonly #turns = new Map<string, DeviceWaiter>();
  readonly #input: DeviceQueueInput;
  /** What is free beside those who were admitted, before those who wait have their turn: for messages only. */
  #untouched: DeviceRoom | undefined;

  constructor(input: DeviceQueueInput) {
    const { supply, pending, waiters, nowMs } = input;
    const room = new DeviceRoom(supply);
    const placements = new Map<string, readonly DevicePlace[]>();
    const keepers = new Set<string>();
    const unplaced: DeviceDemand[] = [];
    for (const demand of pending.toSorted(byCount)) {
      const place = room.take(demand);
      if (place === undefined) unplaced.push(demand);
      else placements.set(demand.uid, place);
    }
    for (const demand of unplaced) keepNode(room, keepers, demand);
    for (const waiter of waiters.toSorted(byTurn)) {
      const place = room.waitedFor(waiter.class) && room.take(waiter);
      if (place !== undefined) {
        placements.set(waiter.uid, place);
        this.#turns.set(waiter.uid, waiter);
      } else if (nowMs - waiter.sinceMs >= PATIENCE_MS) keepNode(room, keepers, waiter);
    }
    this.#input = input;
    this.#room = room;
    this.placements = placements;
  }

  /** What keeps a Run that was not admitted from its devices. Without an obstacle, `take` will find them. */
  obstacleTo(demand: DeviceDemand): Waiting | undefined {
    if (this.#room.waitedFor(demand.class) === undefined || this.#hasTurn(demand)) return undefined;
    if (this.#room.hasRoomFor(demand)) return undefined;
    return obstacleOf(demand, this.#offerTo(demand));
  }

  /** Gives a Run its devices. */
  take(demand: DeviceDemand): void {
    // Whose turn it was has them already.
    if (!this.#hasTurn(demand)) this.#room.take(demand);
  }

  #offerTo(demand: DeviceDemand): Offer {
    if (this.#untouched === undefined) {
      this.#untouched = new DeviceRoom(this.#input.supply);
      for (const one of this.#input.pending.toSorted(byCount)) this.#untouched.take(one);
    }
    return this.#untouched.offer(demand);
  }

  /** Whether devices are kept for a Run that still asks for the same. */
  #hasTurn({ uid, class: name, count, pods }: DeviceDemand): boolean {
    const turn = this.#turns.get(uid);
    return turn?.class === name && turn.count === count && turn.pods === pods;
  }
}

/** What a waiting Run asks for, and where the Run is found. */
export interface DeviceRequest {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly class: string;
  /** Of one pod. */
  readonly count: number;
  readonly pods?: number;
}

/** What one tenant's admission needs of the devices of all. */
export class DeviceDesk {
  readonly #queue: DeviceQueue;
  readonly #tenancy: Tenancy;
  readonly #taken: DeviceDemand[] = [];
  readonly #refused = new Map<string, DeviceRequest & DeviceDemand>();

  constructor(queue: DeviceQueue, tenancy: Tenancy) {
    this.#queue = queue;
    this.#tenancy = tenancy;
  }

  /** Those that were admitted here. */
  get taken(): readonly DeviceDemand[] {
    return this.#taken;
  }

  /** The first one of each class that was refused. */
  get refused(): readonly (DeviceRequest & DeviceDemand)[] {
    return [...this.#refused.values()];
  }

  /** What keeps a Run from its devices. */
  obstacleTo(wanted: DeviceRequest): Waiting | undefined {
    const demand = { ...wanted, ...this.#tenancy };
    const obstacle = this.#queue.obstacleTo(demand);
    if (obstacle !== undefined && !this.#refused.has(demand.class)) this.#refused.set(demand.class, demand);
    return obstacle;
  }

  /** Gives a Run its devices. */
  take(wanted: DeviceRequest): void {
    const demand = { ...wanted, ...this.#tenancy };
    this.#queue.take(demand);
    this.#taken.push(demand);
  }
}

function keepNode(room: DeviceRoom, keepers: Set<string>, demand: DeviceDemand): void {
  const isCounted = room.waitedFor(demand.class) !== undefined;
  if (isCounted && !keepers.has(demand.class) && room.setAside(demand)) keepers.add(demand.class);
}

function obstacleOf(demand: DeviceDemand, offer: Offer): Waiting {
  const { class: name, count, pods } = demand;
  if (pods !== undefined) return gangObstacle({ ...demand, pods }, offer);
  const { free, largestFree, largest } = offer;
  const asks = `asks for ${count} ${count === 1 ? 'device' : 'devices'} of class ${name}`;
  if (largest < count) {
    const found = largest === 0 ? 'no node that it may be on has any' : `no node has more than ${largest}`;
    return {
      reason: RUN_REASONS.NoNodes,
      message: `${asks}, and ${found}. It waits for such a node: ask the platform team`,
    };
  }
  const one = count === 1 ? '' : ' on one node';
  const found = `${free} are free now, at most ${largestFree} on one node`;
  const help =
    largestFree >= count
      ? 'those are for Runs that were admitted, have waited longer or are of tenants that hold fewer; it starts when it is its turn'
      : `it starts when ${count} are free${one}: when other workloads there end, or a node comes`;
  return { reason: RUN_REASONS.NoFreeDevices, message: `${asks}${one}; ${found}, and ${help}` };
}

/** Of a Run of many pods: what is free counts in pods that would find theirs. */
function gangObstacle(
  { class: name, count, pods }: DeviceDemand & { readonly pods: number },
  { free, pods: fit, mostPods }: Offer,
): Waiting {
  const asks = `asks for ${count * pods} devices of class ${name}, for ${pods} pods with ${count} each`;
  if (mostPods < pods) {
    const found = `all nodes that it may be on have room for ${mostPods} such pods, if nothing else was there`;
    return {
      reason: RUN_REASONS.NoNodes,
      message: `${asks}; ${found}. It waits for more nodes: ask the platform team`,
    };
  }
  const help =
    fit >= pods
      ? 'those are for Runs that were admitted, have waited longer or are of tenants that hold fewer; it starts when it is its turn'
      : 'it starts when there is room for all at once: when other workloads there end, or a node comes';
  const message = `${asks}; ${free} are free now, which is room for ${fit} such pods, and ${help}`;
  return { reason: RUN_REASONS.NoFreeDevices, message };
}

/** Large ones first, so that small ones fill what they leave. */
function byCount(a: DeviceDemand, b: DeviceDemand): number {
  return b.count - a.count || (b.pods ?? 1) - (a.pods ?? 1) || (a.uid < b.uid ? -1 : 1);
}

function byTurn(a: DeviceWaiter, b: DeviceWaiter): number {
  return turnMs(a) - turnMs(b) || (a.uid < b.uid ? -1 : 1);
}

function turnMs({ sinceMs, share }: DeviceWaiter): number {
  return sinceMs + share * SHARE_MS;
}
