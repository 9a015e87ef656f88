// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { LABELS } from '#crds/v1alpha1/names';
import type { GPUClass } from '../../core/agent/agent.ts';
import {
  DeviceDesk,
  DeviceQueue,
  type DeviceRequest,
  type DeviceWaiter,
} from '../../core/capacity/device-queue.ts';
import type { Tenancy } from '../../core/capacity/node.ts';
import { requestedDevices, tellsOfDevices, withDevices } from '../../core/capacity/pod-devices.ts';
import { type DeviceDemand, DeviceRoom } from '../../core/capacity/room.ts';
import { attemptKey, countSupply, type Supply } from '../../core/capacity/supply.ts';
import type { KubeObject } from '../../core/object.ts';
import { wantsQuota } from '../../core/quota/candidates.ts';
import { isTakingOver } from '../../core/quota/handover.ts';
import type { Run } from '../../core/run/run.ts';
import type { Ledger, PlatformSettings } from '../../core/tenant/tenant.ts';
import { clock } from '../../runtime/clock.ts';
import type { IndexDeclaration, Key, Reader, Watch } from '../../runtime/controller.ts';
import {
  DEVICE_CLASSES,
  GPU_CLASSES,
  NODES,
  QUOTA_LEDGERS,
  RESOURCE_CLAIMS,
  RESOURCE_SLICES,
  RUNS,
  TENANTS,
} from '../../core/resources.ts';
import { CapacityGate } from './capacity-gate.ts';
import { trimNode } from './nodes.ts';
import { PODS, watchPods } from './workloads.ts';

const HOLDERS = 'pods-with-devices';
const ANY = 'any';

/** The index that pods with devices are found by. */
export const DEVICE_INDEX: IndexDeclaration = {
  resource: PODS,
  name: HOLDERS,
  of: (pod) => (tellsOfDevices(pod) ? [ANY] : []),
};

/** The first Run of a tenant that waits for devices of a class, and where to find it. */
interface Entry extends Omit<DeviceWaiter, 'share'>, DeviceRequest {
  readonly ledger: string;
}

/** What a pass has admitted, until the ledger that it was decided on has another version. */
interface Tentative {
  readonly resourceVersion: string | undefined;
  readonly demands: readonly DeviceDemand[];
}

/**
 * What the controllers of one process share about devices: what there is, worked out once for each change; what was admitted
 * a moment ago, and is in no watch yet; and who waits. Nothing of it is kept: another leader learns it anew.
 */
export class DeviceBook {
  readonly #said = new Map<string, string>();
  readonly #hasChanged = new WeakMap<KubeObject, boolean>();
  readonly #tentative = new Map<string, Tentative>();
  readonly #planWeights: ReadonlyMap<string, number>;
  /** Who decides on what is not given away here. */
  readonly gate: CapacityGate;
  #waiters: readonly Entry[] = [];
  #supply: Supply | undefined;

  /** `planWeights`: by the plan of tenants; a plan that is absent weighs one. */
  constructor(planWeights: PlatformSettings['planWeights'] = new Map(), kueue?: PlatformSettings['kueue']) {
    this.#planWeights = planWeights;
    this.gate = new CapacityGate(kueue);
  }

  /** Watches on all that devices are counted from; `keys` is called when something of it has changed. */
  watches(keys: (read: Reader) => readonly Key[]): readonly Watch[] {
    const changed: Watch['keys'] = (_, read) => {
      this.#supply = undefined;
      return keys(read);
    };
    const nodeChanged: Watch['keys'] = (node, read) => (this.#isNews(node, read) ? changed(node, read) : []);
    const podChanged: Watch['keys'] = (pod, read) => (tellsOfDevices(pod) ? changed(pod, read) : []);
    return [
      { resource: NODES, keys: nodeChanged, trim: trimNode },
      watchPods(podChanged),
      { resource: PODS, ...FOREIGN_PODS, keys: podChanged, trim: onlyWithDevices },
      { resource: GPU_CLASSES, keys: changed },
      { resource: DEVICE_CLASSES, keys: changed },
      { resource: RESOURCE_SLICES, keys: changed },
      { resource: RESOURCE_CLAIMS, keys: changed, trim: trimClaim },
    ];
  }

  /** All devices, as the stores have it. */
  supply(read: Reader): Supply {
    this.#supply ??= countSupply({
      nodes: read.list(NODES),
      pods: read.list(PODS, { index: HOLDERS, value: ANY }),
      gpuClasses: read.list(GPU_CLASSES) as readonly GPUClass[],
      deviceClasses: read.list(DEVICE_CLASSES),
      slices: read.list(RESOURCE_SLICES),
      claims: read.list(RESOURCE_CLAIMS),
      isElsewhere: (gpuClass) => this.gate.decides(gpuClass),
    });
    return this.#supply;
  }

  /** The desk at which the Runs of one tenant ask for devices. `held`: reservations of the tenant. */
  desk(
    ledger: Ledger,
    { read, held, now }: { readonly read: Reader; readonly held: readonly Reservation[]; readonly now: Date },
  ): DeviceDesk {
    const { name } = ledger.metadata;
    const pending = [
      ...this.#pendingOf(read, name),
      ...this.#unseated(held.filter(holdsDevices), tenancyOf(name, read), read),
    ];
    return new DeviceDesk(this.#queue(read, pending, now), tenancyOf(name, read));
  }

  /** Keeps what a pass over `ledger` has decided. `desk` is undefined when nobody asked for devices. */
  settle(ledger: Ledger, desk: DeviceDesk | undefined, now: Date): void {
    const { name, resourceVersion } = ledger.metadata;
    const known = new Map(this.#waiters.map((one) => [`${one.uid}/${one.class}`, one.sinceMs]));
    const refused = (desk?.refused ?? []).map((one) => ({
      ...one,
      ledger: name,
      sinceMs: known.get(`${one.uid}/${one.class}`) ?? now.getTime(),
    }));
    this.#waiters = [...this.#waiters.filter((one) => one.ledger !== name), ...refused];
    if (desk === undefined || desk.taken.length === 0) this.#tentative.delete(name);
    else this.#tentative.set(name, { resourceVersion, demands: desk.taken });
  }

  /** Ledgers whose first waiting Run would find its devices now. */
  ready(read: Reader): readonly Key[] {
    if (this.#waiters.length === 0) return [];
    const { placements } = this.#queue(read, this.#pendingOf(read, undefined), clock.now());
    const names = this.#waiters.filter(({ uid }) => placements.has(uid)).map(({ ledger }) => ledger);
    return [...new Set(names)].map((name) => ({ name }));
  }

  /** Whether a Run is one of those that others wait behind. */
  isWaiter(runUid: string | undefined): boolean {
    return this.#waiters.some(({ uid }) => uid === runUid);
  }

  /** The nodes that were thought of when a Run was admitted, one for each pod that has none yet; none when that is not known any more. */
  nodesFor(runUid: string, read: Reader): readonly string[] {
    const { placements } = this.#queue(read, this.#pendingOf(read, undefined), clock.now());
    return (placements.get(runUid) ?? []).map(({ node }) => node.name);
  }

  /**
   * Whether no node that Runs of a tenant may be on has so many devices free, or not enough for all of so many pods, whoever is to have
   * them; undefined where nobody waits for devices of the class.
   */
  isShort(
    tenant: string,
    wanted: { readonly class: string; readonly count: number; readonly pods?: number },
    read: Reader,
  ): boolean | undefined {
    const room = new DeviceRoom(this.supply(read));
    if (room.waitedFor(wanted.class) === undefined) return undefined;
    return !room.hasRoomFor({ ...wanted, ...tenancyOf(tenant, read) });
  }

  #queue(read: Reader, pending: readonly DeviceDemand[], now: Date): DeviceQueue {
    const waiters = this.#waiters
      .filter((one) => isStillWaiting(one, read))
      .map((one) => ({ ...one, share: this.#shareOf(one, read) }));
    return new DeviceQueue({ supply: this.supply(read), pending, waiters, nowMs: now.getTime() });
  }

  /** Devices of the class that the tenant of a waiter holds, or is about to, by its weight. */
  #shareOf({ ledger: name, class: wanted }: Entry, read: Reader): number {
    const ledger = read.get(QUOTA_LEDGERS, { name }) as Ledger | undefined;
    const held = ledger === undefined ? [] : devicesReserved(ledger);
    const decided = this.#openDecision(name, ledger?.metadata.resourceVersion);
    const count =
      held.reduce((sum, { gpuClass, gpus = 0 }) => sum + (gpuClass === wanted ? gpus : 0), 0) +
      decided.reduce((sum, one) => sum + (one.class === wanted ? one.count * (one.pods ?? 1) : 0), 0);
    return count / (this.#planWeights.get(planOf(name, read)) ?? 1);
  }

  /** What a pass has admitted, unless the ledger has moved on: then it is in there, or never came to be. */
  #openDecision(ledger: string, resourceVersion: string | undefined): readonly DeviceDemand[] {
    const decided = this.#tentative.get(ledger);
    return decided?.resourceVersion === resourceVersion ? (decided?.demands ?? []) : [];
  }

  /** Who was admitted and has no devices yet, of all tenants but one. */
  #pendingOf(read: Reader, except: string | undefined): readonly DeviceDemand[] {
    const ledgers = read.list(QUOTA_LEDGERS) as readonly Ledger[];
    return ledgers.flatMap((ledger) => {
      const { name, resourceVersion } = ledger.metadata;
      if (name === except) return [];
      const reserved = devicesReserved(ledger);
      const decided = this.#openDecision(name, resourceVersion);
      if (reserved.length === 0) return decided;
      return [...this.#unseated(reserved, tenancyOf(name, read), read), ...decided];
    });
  }

  #unseated(reserved: readonly Reservation[], tenancy: Tenancy, read: Reader): readonly DeviceDemand[] {
    const supply = this.supply(read);
    return reserved.flatMap((one) => {
      const { uid, gpuClass, gpus = 0, pods } = one;
      if (gpuClass === undefined) return [];
      if (pods === undefined) {
        return supply.seated.has(uid) ? [] : [{ ...tenancy, uid, class: gpuClass, count: gpus }];
      }
      const left = unseatedPods(one, supply);
      return left === 0 ? [] : [{ ...tenancy, uid, class: gpuClass, count: gpus / pods, pods: left }];
    });
  }

  /** Nodes report themselves all the time: whether one says something else of its devices than before. */
  #isNews({ metadata: { name } }: KubeObject, read: Reader): boolean {
    const live = read.get(NODES, { name });
    if (live === undefined) {
      this.#said.delete(name);
      return true;
    }
    const known = this.#hasChanged.get(live);
    if (known !== undefined) return known;
    const { uid: _, resourceVersion: __, ...metadata } = live.metadata;
    const says = JSON.stringify([metadata, live['spec'], live['status']]);
    const hasChanged = this.#said.get(name) !== says;
    this.#said.set(name, says);
    this.#hasChanged.set(live, hasChanged);
    return hasChanged;
  }
}

/** Pods of a Run of many that have no devices yet. Those that have ended, and their devices, come back to it in another attempt only. */
function unseatedPods({ uid, attempt, gpus = 0, pods = 1 }: Reservation, { seated, spent }: Supply): number {
  const ended = spent.get(attemptKey(uid, attempt)) ?? 0;
  return Math.max(0, pods - ended - Math.ceil(((seated.get(uid) ?? 0) * pods) / gpus));
}

/**
 * Pods that are on a node and have not ended, but for those of Runs, which are watched anyway. All of them are told of, and only
 * those with devices are kept.
 */
const FOREIGN_PODS = {
  labelSelector: `!${LABELS.runUid}`,
  fieldSelector: 'spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed',
};

function onlyWithDevices(pod: KubeObject): KubeObject | undefined {
  if (Object.keys(requestedDevices(pod)).length === 0) return undefined;
  const { apiVersion, kind, metadata, devices } = withDevices(pod);
  const { name, namespace, uid, resourceVersion } = metadata;
  const kept = {
    name,
    ...(namespace && { namespace }),
    ...(uid && { uid }),
    ...(resourceVersion && { resourceVersion }),
  };
  return { apiVersion, kind, metadata: kept, devices };
}

/** Keeps of a claim what it holds, and for which Run. */
function trimClaim({ apiVersion, kind, metadata, status }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata, status };
}

const reservedIn = new WeakMap<Ledger, readonly Reservation[]>();

/**
 * Reservations with devices; most ledgers have none, and all are asked at each pass. One that takes over from another has its devices
 * only when that one has given them back: until then they are kept by that.
 */
function devicesReserved(ledger: Ledger): readonly Reservation[] {
  let found = reservedIn.get(ledger);
  if (found === undefined) {
    found = (ledger.status?.reservations ?? []).filter(holdsDevices);
    reservedIn.set(ledger, found);
  }
  return found;
}

function holdsDevices(reservation: Reservation): boolean {
  return reservation.gpuClass !== undefined && !isTakingOver(reservation);
}

function tenancyOf(tenant: string, read: Reader): Tenancy {
  return { tenant, isHard: specOf(tenant, read)?.isolation?.tier === 'Hard' };
}

function planOf(tenant: string, read: Reader): string {
  return specOf(tenant, read)?.plan ?? '';
}

/** What is looked at of a Tenant, before defaults. */
function specOf(tenant: string, read: Reader) {
  return read.get(TENANTS, { name: tenant })?.['spec'] as
    | { readonly plan?: string; readonly isolation?: { readonly tier?: string } }
    | undefined;
}

/** What a pass has noted holds until the Run, or the tenant, is gone or otherwise served. */
function isStillWaiting({ uid, namespace, name, ledger }: Entry, read: Reader): boolean {
  if (read.get(QUOTA_LEDGERS, { name: ledger }) === undefined) return false;
  const run = read.get(RUNS, { namespace, name }) as Run | undefined;
  return run?.metadata.uid === uid && wantsQuota(run) && !run.spec.suspend;
}
