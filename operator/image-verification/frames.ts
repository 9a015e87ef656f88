// SPDX-License-Identifier: Apache-2.0

/** Lengths of what follows: of a header in JSON, and of bytes that are sent as they are. */
const HEAD_BYTES = 8;
/** One document, or what a policy names: no more is made room for, whatever a length says. */
export const MAX_FRAME_BYTES = 64 << 20;

/** What is written to a pipe for a header and bytes that belong to it. The bytes are not copied. */
export function frameOf(header: object, body?: Uint8Array): readonly Uint8Array[] {
  const text = Buffer.from(JSON.stringify(header));
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.writeUInt32BE(text.length, 0);
  head.writeUInt32BE(body?.length ?? 0, 4);
  const first = Buffer.concat([head, text]);
  return body === undefined || body.length === 0 ? [first] : [first, body];
}

/** What is told of each frame: its header, which whoever sent it may have made of anything, and its bytes. */
export type TakeFrame = (header: unknown, body: Uint8Array) => void;

/** Reads frames from a pipe, in whatever pieces they come. */
export class FrameReader {
  readonly #take: TakeFrame;
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #target = Buffer.allocUnsafe(HEAD_BYTES);
  #filled = 0;

  /** `maxBytes`: of a header, and of what belongs to it. */
  constructor(take: TakeFrame, maxBytes = MAX_FRAME_BYTES) {
    this.#take = take;
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes the next piece.
   *
   * @throws RangeError for a frame that is longer than it may be, SyntaxError for a header that is no JSON.
   */
  write(piece: Uint8Array): void {
    let at = 0;
    while (at < piece.length) {
      const part = piece.subarray(at, at + this.#target.length - this.#filled);
      this.#target.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      while (this.#filled === this.#target.length) this.#next();
    }
  }

  /** One part is whole: lengths, header, bytes, in this order. */
  #next(): void {
    const [head, header] = [...this.#parts, this.#target];
    this.#parts.push(this.#target);
    this.#filled = 0;
    if (head === undefined || header === undefined) {
      this.#target = this.#room(this.#target.readUInt32BE(0));
      return;
    }
    if (this.#parts.length === 2) {
      this.#target = this.#room(head.readUInt32BE(4));
      return;
    }
    const body = this.#target;
    this.#parts = [];
    this.#target = Buffer.allocUnsafe(HEAD_BYTES);
    this.#take(JSON.parse(header.toString('utf8')), body);
  }

  #room(bytes: number): Buffer<ArrayBuffer> {
    if (bytes > this.#maxBytes) throw new RangeError(`a frame of ${bytes} bytes; ${this.#maxBytes} are read`);
    return Buffer.allocUnsafe(bytes);
  }
}
