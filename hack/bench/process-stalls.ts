// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Stall } from './own-stalls.ts';

/** The environment variable that names the file which a process writes its stalls into. */
export const STALLS_VARIABLE = 'NEXUSOS_BENCH_STALLS';
/** Shorter ones are not told, in milliseconds. */
export const LEAST_MS = 2;
/** Between two writes of a process. */
export const WRITE_MS = 500;

const INSIDE = join(import.meta.dirname, 'stalls-inside.ts');

/** A stall as it is written: when it was over (milliseconds since 1970), by the clock, and of a processor. */
export function lineOf(at: number, { clock, own }: Stall): string {
  return `${at} ${clock.toFixed(2)} ${own.toFixed(2)}\n`;
}

/** The longest of those that were over since `from`, and had begun by `to`, by the clock and of a processor: mostly not the same one. */
export function longestIn(text: string, from: number, to: number): Stall {
  const found = text
    .split('\n')
    .map((line) => line.split(' ').map(Number))
    .filter(([at = 0, clock = 0]) => at >= from && at - clock <= to);
  const most = (index: number): number => Math.max(0, ...found.map((fields) => fields[index] ?? 0));
  return { clock: most(1), own: most(2) };
}

/** How long the main thread of another process is held up, told by that process itself. */
export class ProcessStalls {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(): Promise<ProcessStalls> {
    return new ProcessStalls(await mkdtemp(join(tmpdir(), 'nexusos-stalls-')));
  }

  /** What the process is started with. */
  get env(): Readonly<Record<string, string>> {
    return { NODE_OPTIONS: `--import=${pathToFileURL(INSIDE).href}`, [STALLS_VARIABLE]: this.#path };
  }

  /**
   * The longest since then: 0 where none was longer than LEAST_MS.
   *
   * @throws Error where the process writes nothing at all, as one that was started otherwise.
   */
  async since(from: Date): Promise<Stall> {
    const to = Date.now();
    await delay(2 * WRITE_MS);
    if (!existsSync(this.#path)) throw new Error('the process does not tell of its stalls');
    return longestIn(await readFile(this.#path, 'utf8'), from.getTime(), to);
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #path(): string {
    return join(this.#folder, 'stalls');
  }
}
