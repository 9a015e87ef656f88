// SPDX-License-Identifier: Apache-2.0
import { createHash, type Hash } from 'node:crypto';

/** What a body may be hashed by. */
export type Algorithm = 'sha256' | 'sha512';

/** What is known of a body before it comes. */
export interface BodyOptions {
  /** The most that is taken. */
  readonly maxBytes: number;
  /** How many bytes it will have, as far as somebody says: room is made for so many at once. */
  readonly expected?: number | undefined;
  /** By what it is to be hashed; undefined: not at all. */
  readonly algorithm?: Algorithm | undefined;
}

/** Room that is made for a body of which nobody says how long it is. */
const FIRST_BYTES = 64 << 10;

/**
 * The body of an answer, put into its place and hashed as it comes. Pieces that are kept until the last one is there are copied, and then hashed, in one
 * piece: of 32 MiB that holds up all else of the process for as long as a hundred verdicts take.
 */
export class Body {
  readonly #maxBytes: number;
  readonly #expected: number;
  readonly #algorithm: Algorithm | undefined;
  readonly #hash: Hash | undefined;
  /** Made with the first piece: who announces much and sends nothing gets none. */
  #room: Buffer | undefined;
  #size = 0;

  constructor({ maxBytes, expected, algorithm }: BodyOptions) {
    this.#maxBytes = maxBytes;
    this.#expected = Math.min(expected ?? 0, maxBytes);
    this.#algorithm = algorithm;
    this.#hash = algorithm === undefined ? undefined : createHash(algorithm);
  }

  /** Takes the next piece; false where that is more than may be. */
  take(piece: Uint8Array): boolean {
    const size = this.#size + piece.length;
    if (size > this.#maxBytes) return false;
    this.#roomFor(size).set(piece, this.#size);
    this.#hash?.update(piece);
    this.#size = size;
    return true;
  }

  /** All of it, with its digest where it was asked for. Nothing more may be taken. */
  end(): { readonly bytes: Buffer; readonly digest?: string } {
    const room = this.#room ?? Buffer.alloc(0);
    // What was more room than it took is not kept with it.
    const bytes = room.length === this.#size ? room : copyOf(room.subarray(0, this.#size), this.#size);
    const hex = this.#hash?.digest('hex');
    return hex === undefined ? { bytes } : { bytes, digest: `${this.#algorithm}:${hex}` };
  }

  #roomFor(size: number): Buffer {
    const before = this.#room;
    if (before !== undefined && before.length >= size) return before;
    const more = before === undefined ? Math.max(this.#expected, size) : 2 * size;
    const least = before === undefined && this.#expected === 0 ? FIRST_BYTES : 0;
    const room = copyOf(before?.subarray(0, this.#size), Math.min(Math.max(more, least), this.#maxBytes));
    this.#room = room;
    return room;
  }
}

function copyOf(bytes: Buffer | undefined, length: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(length);
  if (bytes !== undefined) copy.set(bytes);
  return copy;
}
