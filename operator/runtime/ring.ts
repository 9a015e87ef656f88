// SPDX-License-Identifier: Apache-2.0

const SMALLEST = 8;

/** A queue in a ring: `shift` moves nothing, unlike that of an array. Grows and shrinks by halves. */
export class Ring<T> {
  #slots: (T | undefined)[] = Array.from({ length: SMALLEST });
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#size === this.#slots.length) this.#resize(this.#size * 2);
    this.#slots[(this.#head + this.#size) % this.#slots.length] = item;
    this.#size += 1;
  }

  /** The oldest item; undefined when empty. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#slots.length;
    this.#size -= 1;
    const { length } = this.#slots;
    if (length > SMALLEST && this.#size < length / 4) this.#resize(length / 2);
    return item;
  }

  #resize(capacity: number): void {
    const slots: (T | undefined)[] = Array.from({ length: capacity });
    for (let i = 0; i < this.#size; i += 1) slots[i] = this.#slots[(this.#head + i) % this.#slots.length];
    this.#slots = slots;
    this.#head = 0;
  }
}
