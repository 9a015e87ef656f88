// SPDX-License-Identifier: Apache-2.0
import { stripVTControlCharacters } from 'node:util';

/** Where people read: lines that stay, and below them, on a terminal, a block that is drawn anew. */
export class Terminal {
  readonly #stream: NodeJS.WriteStream;
  readonly #startedAt = performance.now();
  #drawn = 0;

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    this.#stream = stream;
  }

  /** Whether a block can be drawn anew; otherwise only lines make sense. */
  get isLive(): boolean {
    return this.#stream.isTTY;
  }

  /** Room for a block. One row is left for the cursor. */
  get screen(): { readonly columns: number; readonly rows: number } {
    return { columns: this.#stream.columns ?? 120, rows: Math.max((this.#stream.rows ?? 40) - 1, 5) };
  }

  /** Seconds since the beginning, as text: `12.3 s`. */
  elapsed(): string {
    return `${((performance.now() - this.#startedAt) / 1000).toFixed(1)} s`;
  }

  /** Writes a line that stays. A block that was drawn goes away, until it is drawn again. */
  line(text = ''): void {
    this.clear();
    this.#stream.write(`${text}\n`);
  }

  /** Draws `lines` in place of the block drawn before. Control characters of others are not passed on. */
  draw(lines: readonly string[]): void {
    this.clear();
    this.#stream.write(lines.map((line) => `${stripVTControlCharacters(line)}\n`).join(''));
    this.#drawn = lines.length;
  }

  /** Takes the drawn block away. */
  clear(): void {
    if (this.#drawn > 0) this.#stream.write(`\u001B[${this.#drawn}A\u001B[J`);
    this.#drawn = 0;
  }
}
