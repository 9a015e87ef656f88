// SPDX-License-Identifier: Apache-2.0
import { TimeTaken } from '../core/time-taken.ts';
import { type NextTurn, spreadOverTurns } from '../runtime/spread-over-turns.ts';

/** Something that waits to be looked at, and for whom. */
export interface Waiting {
  readonly tenant: string;
  /** It goes before what else of its tenant waits, and takes nothing from others. */
  readonly isUrgent: boolean;
}

/** How much is under way at the same time, and how much of one tenant may wait. */
export interface LineLimits {
  readonly atOnce: number;
  readonly perTenant: number;
  readonly waitingPerTenant: number;
  /** Milliseconds that never go back. Default: those of the process. */
  readonly now?: () => number;
  /** Has something done in the next turn of the loop. Default: that of the process. */
  readonly nextTurn?: NextTurn;
}

/** Whom to tell when there is room for what was not taken. */
export interface TurnedAway {
  readonly key: string;
  readonly onRoom: (key: string) => void;
}

/** Who took more than that lately does not get the last places: they are for those whose images are looked at soon. */
const SLOW_MS = 5000;
const KEPT_FOR_QUICK = 1 / 4;

/**
 * Images in line: of those whose tenants have a place left, the one of the tenant that took the least time lately. So whoever has registries that
 * hold their answers, or images that take long, waits for himself, however many there are of him; and all others have places that
 * he cannot take.
 */
export class ImageLines<T extends Waiting> {
  readonly #carryOut: (image: T) => Promise<void>;
  readonly #limits: Required<LineLimits>;
  readonly #waiting = new Map<string, T[]>();
  readonly #running = new Map<string, number>();
  readonly #runs = new Set<Promise<void>>();
  readonly #taken = new TimeTaken();
  /** Of each tenant what was not taken, to be told when there is room: keys alone, since there may be many. */
  readonly #turnedAway = new Map<string, Map<string, TurnedAway['onRoom']>>();
  /** Whether something was begun in this turn of the loop. */
  #hasBegun = false;
  #isClosed = false;

  /** `carryOut` must not reject. */
  constructor(carryOut: (image: T) => Promise<void>, limits: LineLimits) {
    this.#carryOut = carryOut;
    this.#limits = { now: () => performance.now(), nextTurn: setImmediate, ...limits };
  }

  /** Takes an image; false where too many of its tenant wait already: `onRoom` is called once there is a place for it. Urgent ones have as many places again. */
  add(image: T, away?: TurnedAway): boolean {
    if (this.#isClosed) return true;
    const { tenant, isUrgent } = image;
    const mine = this.#waiting.get(tenant) ?? [];
    if (mine.length >= this.#limits.waitingPerTenant * (isUrgent ? 2 : 1)) {
      if (away !== undefined) this.#turnAway(tenant, away);
      return false;
    }
    const place = isUrgent ? mine.findIndex((one) => !one.isUrgent) : -1;
    mine.splice(place === -1 ? mine.length : place, 0, image);
    this.#waiting.set(tenant, mine);
    this.#pump();
    return true;
  }

  /** Takes an image that waits out of the line: nobody wants it any more. */
  drop(image: T): void {
    const mine = this.#waiting.get(image.tenant) ?? [];
    const index = mine.indexOf(image);
    if (index === -1) return;
    mine.splice(index, 1);
    if (mine.length === 0) this.#waiting.delete(image.tenant);
    this.#tellOfRoom(image.tenant);
  }

  /** Lets what is under way end, and begins nothing more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#turnedAway.clear();
    this.#waiting.clear();
    await Promise.all(this.#runs);
  }

  #turnAway(tenant: string, { key, onRoom }: TurnedAway): void {
    const others = this.#turnedAway.get(tenant) ?? new Map<string, TurnedAway['onRoom']>();
    this.#turnedAway.set(tenant, others.set(key, onRoom));
  }

  /** One in a turn of the loop: to begin with sixteen images asks half a hundred questions, which would hold up all else. */
  #pump(): void {
    if (this.#hasBegun) return;
    const next = this.#next();
    if (next === undefined) return;
    this.#hasBegun = true;
    const run = this.#run(next);
    this.#runs.add(run);
    void run.then(() => {
      this.#runs.delete(run);
      return this.#pump();
    });
    this.#tellOfRoom(next.tenant);
    this.#limits.nextTurn(() => {
      this.#hasBegun = false;
      this.#pump();
    });
  }

  #next(): T | undefined {
    const tenant = this.#nextTenant();
    const mine = tenant === undefined ? undefined : this.#waiting.get(tenant);
    const image = mine?.shift();
    if (tenant === undefined || mine === undefined) return undefined;
    // To the end of those who took as much, if there is more.
    this.#waiting.delete(tenant);
    if (mine.length > 0) this.#waiting.set(tenant, mine);
    return image;
  }

  #nextTenant(): string | undefined {
    const { atOnce, perTenant, now } = this.#limits;
    const nowMs = now();
    const forSlow = Math.ceil(atOnce * (1 - KEPT_FOR_QUICK));
    let tenant: string | undefined;
    let least = Infinity;
    for (const one of this.#waiting.keys()) {
      const taken = this.#taken.by(one, nowMs);
      const most = taken > SLOW_MS ? forSlow : atOnce;
      if (taken >= least || this.#runs.size >= most || this.#runningOf(one) >= perTenant) continue;
      tenant = one;
      least = taken;
    }
    return tenant;
  }

  async #run(image: T): Promise<void> {
    const { tenant } = image;
    const startedAt = this.#limits.now();
    this.#running.set(tenant, this.#runningOf(tenant) + 1);
    await this.#carryOut(image);
    const left = this.#runningOf(tenant) - 1;
    if (left > 0) this.#running.set(tenant, left);
    else this.#running.delete(tenant);
    const endedAt = this.#limits.now();
    this.#taken.add(tenant, endedAt - startedAt, endedAt);
  }

  #runningOf(tenant: string): number {
    return this.#running.get(tenant) ?? 0;
  }

  /**
   * As many as there is room for, the first that came: of a tenant with more images than may wait some wait always, so those that were not taken would
   * never be told. With the last one that waits all are, since of some nobody may ask any more.
   */
  #tellOfRoom(tenant: string): void {
    const away = this.#turnedAway.get(tenant);
    if (away === undefined) return;
    const mine = this.#waiting.get(tenant);
    const room = mine === undefined ? away.size : this.#limits.waitingPerTenant - mine.length;
    const told = [...away.entries().take(Math.max(0, room))];
    for (const [key] of told) away.delete(key);
    if (away.size === 0) this.#turnedAway.delete(tenant);
    // Not from within: whoever is told may ask at once.
    if (told.length > 0) setImmediate(() => spreadOverTurns(told, ([key, onRoom]) => onRoom(key)));
  }
}
