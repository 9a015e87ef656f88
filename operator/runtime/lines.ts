// SPDX-License-Identifier: Apache-2.0

const NEWLINE = 0x0a;

/** A line that has no end within the limit. */
export class LineTooLongError extends Error {
  constructor(limit: number) {
    super(`a line is longer than ${limit} bytes`);
    this.name = 'LineTooLongError';
  }
}

/**
 * Cuts a stream of bytes into lines, without the newline and without empty ones. Works on bytes: a
 * character that is split between two chunks comes out whole. What is left without a newline at the end is
 * not a line.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  #rest: Buffer[] = [];
  #restBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * The lines that `chunk` completes.
   *
   * @throws LineTooLongError when a line grows beyond the limit.
   */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const line = this.#complete(chunk.subarray(from, end));
      if (line !== '') lines.push(line);
      from = end + 1;
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
    return lines;
  }

  #complete(tail: Buffer): string {
    this.#check(this.#restBytes + tail.length);
    if (this.#restBytes === 0) return tail.toString('utf8');
    const line = Buffer.concat([...this.#rest, tail]).toString('utf8');
    this.#rest = [];
    this.#restBytes = 0;
    return line;
  }

  #keep(part: Buffer): void {
    this.#check(this.#restBytes + part.length);
    this.#rest.push(part);
    this.#restBytes += part.length;
  }

  #check(bytes: number): void {
    if (bytes > this.#maxBytes) throw new LineTooLongError(this.#maxBytes);
  }
}
