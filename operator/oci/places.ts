// SPDX-License-Identifier: Apache-2.0
import type { Failure } from '../core/oci/answer.ts';
import { TimeTaken } from '../core/time-taken.ts';

/** How much is asked at a time. */
export interface PlaceLimits {
  /** Questions to one host at the same time. */
  readonly perHost: number;
  /** Of one owner. */
  readonly perOwner: number;
  /** To all hosts together. */
  readonly inAll: number;
  /** Of one owner to one host, that wait for their turn; what comes on top is turned away. */
  readonly waiting: number;
  /** Milliseconds that never go back. Default: those of the process. */
  readonly now?: () => number;
}

/** Who wants to ask whom. */
export interface Wish {
  readonly host: string;
  /** Whose question it is. */
  readonly owner: string;
  readonly signal: AbortSignal;
}

/** A place that was given, or why there was none. */
export type Given = { readonly kind: 'given'; readonly leave: () => void } | Failure;

/** Who took more than that lately does not get the last places: they are for those whose questions are answered soon. */
const SLOW_MS = 5000;
const KEPT_FOR_QUICK = 1 / 4;

interface Waiter extends Wish {
  readonly go: () => void;
}

/**
 * Places for questions to hosts that people name: so many at a time, of one host, of one owner. Who took the least time lately is first. Hosts
 * that are slow take places of those who ask them, and of nobody else, however many there are.
 */
export class Places {
  readonly #limits: Required<PlaceLimits>;
  readonly #ofHosts = new Map<string, number>();
  readonly #ofOwners = new Map<string, number>();
  readonly #taken = new TimeTaken();
  #waiting: Waiter[] = [];
  #inAll = 0;

  constructor(limits: PlaceLimits) {
    this.#limits = { now: () => performance.now(), ...limits };
  }

  /** A place, when there is one. */
  async enter(wish: Wish): Promise<Given> {
    if (!this.#isFree(wish)) {
      const late = await this.#wait(wish);
      if (late !== undefined) return late;
    } else this.#take(wish);
    const sinceMs = this.#limits.now();
    return { kind: 'given', leave: () => this.#leave(wish, sinceMs) };
  }

  #wait(wish: Wish): Promise<Failure | undefined> {
    const { host, owner, signal } = wish;
    const late: Failure = {
      kind: 'unreachable',
      message: `there was no time to ask ${host}: others are asking`,
    };
    // Whose time is over already is told of nothing any more: he would wait for ever.
    if (signal.aborted) return Promise.resolve(late);
    const alike = this.#waiting.filter((one) => one.host === host && one.owner === owner).length;
    if (alike >= this.#limits.waiting)
      return Promise.resolve({ kind: 'unreachable', message: `too many questions to ${host} wait already` });
    return new Promise((resolve) => {
      const waiter: Waiter = {
        ...wish,
        go: () => {
          signal.removeEventListener('abort', giveUp);
          resolve(undefined);
        },
      };
      const giveUp = (): void => {
        this.#waiting = this.#waiting.filter((one) => one !== waiter);
        resolve(late);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #isFree({ host, owner }: Wish): boolean {
    const { perHost, perOwner, inAll } = this.#limits;
    const isSlow = this.#taken.by(owner, this.#limits.now()) > SLOW_MS;
    const mine = isSlow ? Math.ceil(inAll * (1 - KEPT_FOR_QUICK)) : inAll;
    return (
      this.#inAll < mine &&
      (this.#ofHosts.get(host) ?? 0) < perHost &&
      (this.#ofOwners.get(owner) ?? 0) < perOwner
    );
  }

  #take({ host, owner }: Wish): void {
    this.#inAll += 1;
    add(this.#ofHosts, host, 1);
    add(this.#ofOwners, owner, 1);
  }

  #leave({ host, owner }: Wish, sinceMs: number): void {
    this.#inAll -= 1;
    add(this.#ofHosts, host, -1);
    add(this.#ofOwners, owner, -1);
    const now = this.#limits.now();
    this.#taken.add(owner, now - sinceMs, now);
    for (let next = this.#next(now); next !== undefined; next = this.#next(now)) {
      const chosen = next;
      this.#waiting = this.#waiting.filter((one) => one !== chosen);
      this.#take(chosen);
      chosen.go();
    }
  }

  #next(now: number): Waiter | undefined {
    let chosen: Waiter | undefined;
    let least = Infinity;
    for (const one of this.#waiting) {
      const taken = this.#taken.by(one.owner, now);
      if (taken >= least || !this.#isFree(one)) continue;
      chosen = one;
      least = taken;
    }
    return chosen;
  }
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
