// SPDX-License-Identifier: Apache-2.0
import { type Key, keyString } from './controller.ts';
import { IN_A_TURN, type NextTurn, spreadOverTurns } from './spread-over-turns.ts';

/** Has a key worked on within so long, in milliseconds. */
export type AddWithin = (key: string, withinMs: number) => void;

/**
 * Wakes those whom a change concerns. Most changes concern few, who are woken at once. What concerns thousands, such as a trust root by which all images
 * are verified, wakes some in each turn of the loop, so that whatever else waits for it has its turn. Who waits to be woken waits once, however many
 * changes concern him meanwhile.
 */
export class Wakes {
  readonly #add: AddWithin;
  readonly #nextTurn: NextTurn;
  /** By key, within how long it is to be worked on from when it is added. */
  readonly #waiting = new Map<string, number>();
  #isWaking = false;

  /** `nextTurn` has something done in the next turn of the loop. Default: that of the process. */
  constructor(add: AddWithin, nextTurn: NextTurn = setImmediate) {
    this.#add = add;
    this.#nextTurn = nextTurn;
  }

  /** Wakes `keys`, each within so long from when its turn has come. */
  wake(keys: readonly Key[], withinMs: number): void {
    if (keys.length <= IN_A_TURN) {
      for (const key of keys) this.#add(keyString(key), withinMs);
      return;
    }
    for (const key of keys) this.#wait(keyString(key), withinMs);
    if (this.#isWaking) return;
    this.#isWaking = true;
    spreadOverTurns(this.#waiting, (one) => this.#wakeOne(one), {
      nextTurn: this.#nextTurn,
      onEnd: () => {
        this.#isWaking = false;
      },
    });
  }

  #wait(key: string, withinMs: number): void {
    const before = this.#waiting.get(key);
    if (before === undefined || withinMs < before) this.#waiting.set(key, withinMs);
  }

  #wakeOne([key, withinMs]: readonly [string, number]): void {
    this.#waiting.delete(key);
    this.#add(key, withinMs);
  }
}
