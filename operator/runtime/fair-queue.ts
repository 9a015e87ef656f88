// SPDX-License-Identifier: Apache-2.0
import { Ring } from './ring.ts';

/**
 * Keys in groups. Groups take turns, so a group with thousands of keys delays another's single key by no
 * more than one key of each group. Inside a group, first come, first served.
 */
export class FairQueue {
  readonly #groups = new Map<string, Ring<string>>();
  /** Groups that have keys, each once. */
  readonly #turns = new Ring<string>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(key: string, group: string): void {
    this.#size += 1;
    const waiting = this.#groups.get(group);
    if (waiting !== undefined) {
      waiting.push(key);
      return;
    }
    const ring = new Ring<string>();
    ring.push(key);
    this.#groups.set(group, ring);
    this.#turns.push(group);
  }

  /** The next key; undefined when there is none. */
  shift(): string | undefined {
    const group = this.#turns.shift();
    if (group === undefined) return undefined;
    const ring = this.#groups.get(group);
    const key = ring?.shift();
    if (ring === undefined || ring.size === 0) this.#groups.delete(group);
    else this.#turns.push(group);
    this.#size -= 1;
    return key;
  }
}
