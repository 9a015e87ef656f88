// SPDX-License-Identifier: Apache-2.0
import { open } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';

/** A file that only grows, such as an audit log: reads on from where it stopped. One call at a time. */
export class GrowingFile {
  readonly #path: string;
  // What was written may end in the middle of a character.
  readonly #decoder = new StringDecoder('utf8');
  #offset = 0;
  #rest = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** Whole lines written since the last call, without their ends. Throws when the file is not there. */
  async readLines(): Promise<readonly string[]> {
    const file = await open(this.#path, 'r');
    try {
      const { size } = await file.stat();
      if (size < this.#offset) throw new Error(`${this.#path} has become shorter than what was read of it`);
      const buffer = Buffer.alloc(size - this.#offset);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, this.#offset);
      this.#offset += bytesRead;
      const lines = (this.#rest + this.#decoder.write(buffer.subarray(0, bytesRead))).split('\n');
      this.#rest = lines.pop() ?? '';
      return lines;
    } finally {
      await file.close();
    }
  }
}
