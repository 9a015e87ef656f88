// SPDX-License-Identifier: Apache-2.0

/** A line of the operator's log, as far as it is read here. */
export interface LogEntry {
  readonly level?: string;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

const KEPT_LINES = 200;

/** Reads the operator's log as it is written: whole lines of JSON, and whatever else a crash leaves. */
export class OperatorLog {
  readonly #listeners = new Set<(entry: LogEntry) => void>();
  readonly #tail: string[] = [];
  readonly #errors: LogEntry[] = [];
  #rest = '';

  /** Takes the next piece of output. */
  write(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#take(line);
  }

  /** Calls `listener` for every entry, until the function it returns is called. */
  onEntry(listener: (entry: LogEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Entries of level error and fatal so far. */
  get errors(): readonly LogEntry[] {
    return this.#errors;
  }

  /** The last lines, as they were. */
  tail(lines = 30): string {
    return [...this.#tail, this.#rest]
      .filter((line) => line !== '')
      .slice(-lines)
      .join('\n');
  }

  #take(line: string): void {
    this.#tail.push(line);
    if (this.#tail.length > KEPT_LINES) this.#tail.shift();
    const entry = parseEntry(line);
    if (entry.level === 'error' || entry.level === 'fatal') this.#errors.push(entry);
    for (const listener of this.#listeners) listener(entry);
  }
}

/** What is not JSON was not written by the log: the last words of a process that broke. */
function parseEntry(line: string): LogEntry {
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === 'object' && parsed !== null) return parsed as LogEntry;
  } catch {
    // Told below.
  }
  return { level: 'error', msg: line };
}
