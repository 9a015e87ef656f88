// SPDX-License-Identifier: Apache-2.0
import { TimeTaken } from '../core/time-taken.ts';

/** Something that waits for its turn. */
export interface Turn {
  /** Whose it is; empty: the platform's. */
  readonly owner: string;
  /** Of what waits with the same name, the last alone counts. */
  readonly name: string;
}

/** How much is under way at the same time. */
export interface TurnLimits {
  readonly atOnce: number;
  readonly perOwner: number;
  /** Milliseconds that never go back. Default: those of the process. */
  readonly now?: () => number;
}

/** What is carried out. `atRest` is called when it takes no more time of others, though it keeps its place. */
export type CarryOut<T> = (turn: T, atRest: () => void) => Promise<void>;

/**
 * Work in turn: the platform first, then who took the least time lately, then who waits longest. So whoever has things that take long waits
 * for himself, however many he and his like have, and nobody waits for more than what is under way.
 */
export class Turns<T extends Turn> {
  readonly #carryOut: CarryOut<T>;
  readonly #limits: Required<TurnLimits>;
  /** By owner, then by name. */
  readonly #waiting = new Map<string, Map<string, T>>();
  readonly #running = new Map<string, number>();
  readonly #taken = new TimeTaken();
  #count = 0;

  /** `carryOut` must not reject. */
  constructor(carryOut: CarryOut<T>, limits: TurnLimits) {
    this.#carryOut = carryOut;
    this.#limits = { now: () => performance.now(), ...limits };
  }

  /** Lets something wait, in the place of what waited by its name. */
  put(turn: T): void {
    const ofOwner = this.#waiting.get(turn.owner) ?? new Map<string, T>();
    this.#waiting.set(turn.owner, ofOwner.set(turn.name, turn));
    this.#pump();
  }

  /** Takes something out of what waits; nothing where it does not. */
  drop(turn: T): void {
    const ofOwner = this.#waiting.get(turn.owner);
    if (ofOwner?.get(turn.name) !== turn) return;
    ofOwner.delete(turn.name);
    if (ofOwner.size === 0) this.#waiting.delete(turn.owner);
  }

  /** Lets nothing wait any more. */
  clear(): void {
    this.#waiting.clear();
  }

  #pump(): void {
    while (this.#count < this.#limits.atOnce) {
      const turn = this.#next();
      if (turn === undefined) return;
      void this.#run(turn);
    }
  }

  #next(): T | undefined {
    const owner = this.#nextOwner();
    const ofOwner = this.#waiting.get(owner ?? '');
    const [turn] = ofOwner?.values() ?? [];
    if (owner === undefined || ofOwner === undefined || turn === undefined) return undefined;
    ofOwner.delete(turn.name);
    // To the end of those who took as much, if there is more.
    this.#waiting.delete(owner);
    if (ofOwner.size > 0) this.#waiting.set(owner, ofOwner);
    return turn;
  }

  #nextOwner(): string | undefined {
    const atMs = this.#limits.now();
    let owner: string | undefined;
    let least = Infinity;
    for (const one of this.#waiting.keys()) {
      // What the platform has is for all: it waits for nobody.
      const taken = one === '' ? -1 : this.#taken.by(one, atMs);
      if (taken >= least || this.#runningOf(one) >= this.#limits.perOwner) continue;
      owner = one;
      least = taken;
    }
    return owner;
  }

  async #run(turn: T): Promise<void> {
    const { owner } = turn;
    const startedAt = this.#limits.now();
    let endedAt: number | undefined;
    const rest = (): void => void (endedAt ??= this.#limits.now());
    this.#count += 1;
    this.#running.set(owner, this.#runningOf(owner) + 1);
    await this.#carryOut(turn, rest);
    rest();
    this.#count -= 1;
    const left = this.#runningOf(owner) - 1;
    if (left > 0) this.#running.set(owner, left);
    else this.#running.delete(owner);
    this.#taken.add(owner, (endedAt ?? startedAt) - startedAt, this.#limits.now());
    this.#pump();
  }

  #runningOf(owner: string): number {
    return this.#running.get(owner) ?? 0;
  }
}
