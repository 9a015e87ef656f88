// SPDX-License-Identifier: Apache-2.0
import { ENGINE, type EngineMemory } from './engine.ts';
import { MalformedValue } from './values/read.ts';
import { EvaluationFailure, Failure } from './verdict.ts';

const PAGE_BYTES = 65_536;
/** Of its own, and one that the compiler has made; where its length and its bytes stand. */
const STRING = { bytes: 12, types: new Set([4, 8]), length: 4, content: 8 } as const;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The memory of one instance. Addresses come from the module, and are believed in nothing. */
export class PolicyMemory {
  readonly memory: EngineMemory;
  readonly #maximumPages: number;
  #view: DataView | undefined;

  constructor(initialPages: number, maximumPages: number) {
    if (initialPages > maximumPages) {
      const message = `the module begins with ${initialPages} pages of memory; it may have ${maximumPages} (of 64 KiB)`;
      throw new EvaluationFailure(Failure.OutOfMemory, message);
    }
    this.#maximumPages = maximumPages;
    this.memory = new ENGINE.Memory({ initial: initialPages, maximum: maximumPages });
  }

  /** Writes zeros over all of it, so that it is like a new one, but for its size: that never becomes less. */
  clear(): void {
    new Uint8Array(this.memory.buffer).fill(0);
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

  /** A text as OPA's runtime keeps it (`opa_string_t`), of at most so many bytes; undefined where none lies there, or what is no UTF-8. */
  string(address: number, most: number): string | undefined {
    const view = this.#currentView();
    if (address + STRING.bytes > view.byteLength) return undefined;
    const length = view.getUint32(address + STRING.length, true);
    const at = view.getUint32(address + STRING.content, true);
    const isText = STRING.types.has(view.getUint8(address));
    if (!isText || length > most || at + length > view.byteLength) return undefined;
    try {
      return UTF8.decode(new Uint8Array(view.buffer, at, length));
    } catch {
      return undefined;
    }
  }

  /** The bytes up to a zero, copied; undefined where none comes within `most`, or before the end of the memory. */
  text(address: number, most: number): Uint8Array | undefined {
    const { buffer } = this.memory;
    if (address >= buffer.byteLength) return undefined;
    const bytes = new Uint8Array(buffer, address, Math.min(most + 1, buffer.byteLength - address));
    const end = bytes.indexOf(0);
    return end === -1 ? undefined : bytes.slice(0, end);
  }

  /** Memory that grows has another buffer. */
  #currentView(): DataView {
    const { buffer } = this.memory;
    if (this.#view?.buffer !== buffer) this.#view = new DataView(buffer);
    return this.#view;
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
