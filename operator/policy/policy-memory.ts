// SPDX-License-Identifier: Apache-2.0
import { ENGINE, type EngineMemory } from './engine.ts';
import { MalformedValue } from './values/read.ts';
import { EvaluationFailure, Failure } from './verdict.ts';

const PAGE_BYTES = 65_536;

/** The memory of one instance. Addresses come from the module, and are believed in nothing. */
export class PolicyMemory {
  readonly memory: EngineMemory;
  readonly #maximumPages: number;

  constructor(initialPages: number, maximumPages: number) {
    if (initialPages > maximumPages) {
      const message = `the module begins with ${initialPages} pages of memory; it may have ${maximumPages} (of 64 KiB)`;
      throw new EvaluationFailure(Failure.OutOfMemory, message);
    }
    this.#maximumPages = maximumPages;
    this.memory = new ENGINE.Memory({ initial: initialPages, maximum: maximumPages });
  }

  /** Writes where the module has said; grows for it as far as may be. */
  write(address: number, bytes: Uint8Array): void {
    const end = address + bytes.length;
    if (end > this.#maximumPages * PAGE_BYTES) {
      const message = `${bytes.length} bytes at ${address} do not fit into its memory of ${this.#maximumPages} pages`;
      throw new EvaluationFailure(Failure.OutOfMemory, message);
    }
    const missing = end - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE_BYTES));
    new Uint8Array(this.memory.buffer, address, bytes.length).set(bytes);
  }

  /** The bytes up to a zero, copied; undefined where none comes within `most`, or before the end of the memory. */
  text(address: number, most: number): Uint8Array | undefined {
    const { buffer } = this.memory;
    if (address >= buffer.byteLength) return undefined;
    const bytes = new Uint8Array(buffer, address, Math.min(most + 1, buffer.byteLength - address));
    const end = bytes.indexOf(0);
    return end === -1 ? undefined : bytes.slice(0, end);
  }
}

/** What the engine throws when a module does what it may not. */
export function describeThrown(error: unknown): EvaluationFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof MalformedValue)
    return new EvaluationFailure(Failure.BadResult, `a value of the module is none: ${message}`);
  if (error instanceof RangeError && message.startsWith('Maximum call stack')) {
    return new EvaluationFailure(Failure.StackOverflow, 'the module calls itself too deep');
  }
  if (error instanceof RangeError) return new EvaluationFailure(Failure.OutOfMemory, message);
  if (error instanceof ENGINE.RuntimeError) return new EvaluationFailure(Failure.Trap, message);
  if (error instanceof ENGINE.LinkError) return new EvaluationFailure(Failure.Trap, message);
  throw error;
}
