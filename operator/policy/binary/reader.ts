// SPDX-License-Identifier: Apache-2.0

/** What is wrong with a binary that is no module. Thrown while reading it, and caught by who began to. */
export class MalformedBinary extends Error {}

/** Reads what a WebAssembly binary is made of, and never beyond `end`. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** Where the next byte lies, from the beginning of the binary. */
  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  byte(): number {
    const value = this.#at < this.#end ? this.#bytes[this.#at] : undefined;
    if (value === undefined)
      throw new MalformedBinary(`it ends in the middle of something, at byte ${this.#at}`);
    this.#at += 1;
    return value;
  }

  /** An unsigned number of at most 32 bits in LEB128. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return this.#inRange(value);
    }
    throw new MalformedBinary(`a number of more than 32 bits ends at byte ${this.#at}`);
  }

  /** A signed number of at most 64 bits in LEB128. */
  signed(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return (byte & 0x40) === 0 ? value : value - (1n << (shift + 7n));
    }
    throw new MalformedBinary(`a number of more than 64 bits ends at byte ${this.#at}`);
  }

  /** The next `length` bytes, not copied. */
  take(length: number): Uint8Array {
    if (length > this.#end - this.#at) {
      throw new MalformedBinary(`${length} bytes are said to follow byte ${this.#at}, and do not`);
    }
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return bytes;
  }

  /** A length, and that many bytes of UTF-8. */
  name(): string {
    const bytes = this.take(this.u32());
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      throw new MalformedBinary(`a name before byte ${this.#at} is not UTF-8`);
    }
  }

  /** A reader of the next `length` bytes alone, which are skipped here. */
  part(length: number): ByteReader {
    const from = this.#at;
    this.take(length);
    return new ByteReader(this.#bytes, from, this.#at);
  }

  /** A count, and that many of what `one` reads. A count that cannot be true is found before anything is read. */
  list<T>(one: (reader: ByteReader) => T): readonly T[] {
    const count = this.u32();
    if (count > this.#end - this.#at) {
      throw new MalformedBinary(
        `a list of ${count} is said to begin at byte ${this.#at}, longer than what is left`,
      );
    }
    return Array.from({ length: count }, () => one(this));
  }

  #inRange(value: number): number {
    if (value > 0xffff_ffff)
      throw new MalformedBinary(`a number before byte ${this.#at} has more than 32 bits`);
    return value;
  }
}
