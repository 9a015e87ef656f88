// SPDX-License-Identifier: Apache-2.0

/** The largest share of all that one entry may have: nobody's large one drives out everybody else's. */
const MAX_SHARE = 1 / 8;

/** What was asked for last, up to a number of bytes. What is in it never changes: keys name content by its digest, and who asked. */
export class ByteCache<T> {
  readonly #maxBytes: number;
  readonly #entries = new Map<string, { readonly value: T; readonly size: number }>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How much is in it. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** Keeps a value, and lets go of what was not asked for longest. `size` is that of all that it holds. */
  set(key: string, value: T, size: number): void {
    // The key is kept as well.
    const whole = size + key.length;
    if (whole > this.#maxBytes * MAX_SHARE) return;
    this.#forget(key);
    this.#entries.set(key, { value, size: whole });
    this.#bytes += whole;
    for (const [oldest] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#entries.get(key)?.size ?? 0;
    this.#entries.delete(key);
  }
}
