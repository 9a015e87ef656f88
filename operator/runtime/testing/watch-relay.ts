// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LineSplitter } from '../lines.ts';

/** What becomes of a line: told as it is or changed, dropped, or cut in half together with the connection. */
export type LineFate = { readonly tell: string } | 'drop' | 'truncate';

interface OpenWatch {
  readonly path: string;
  readonly response: ServerResponse;
}

/** Passes watch events on, line by line, and does to them what it is told. */
export class WatchRelay {
  readonly #open = new Set<OpenWatch>();
  /** Decides for every line of every watch. */
  fateOf: (line: string, path: string) => LineFate = pass;
  /** While true, open watches stay open and say nothing; what they would have said is lost. */
  isStalled = false;

  /** Lines that were dropped or cut in half. */
  spoiledCount = 0;

  /** Watches that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Passes on again. */
  heal(): void {
    this.fateOf = pass;
    this.isStalled = false;
  }

  /** Breaks all open watches; returns how many. */
  cut(): number {
    const count = this.#open.size;
    for (const { response } of this.#open) response.socket?.destroy();
    this.#open.clear();
    return count;
  }

  /** Says `line` on the open watches of `path`, as if it came from the API server. */
  forge(path: string, line: string): number {
    const targets = [...this.#open].filter((one) => one.path === path);
    for (const { response } of targets) response.write(`${line}\n`);
    return targets.length;
  }

  /** Resolves when what was forged on `path` has left this process. */
  async drained(path: string): Promise<void> {
    for (const { response } of [...this.#open].filter((one) => one.path === path)) {
      if (response.writableNeedDrain) await new Promise((resolve) => response.once('drain', resolve));
    }
  }

  /** Relays `answer` until either end closes. A stall at its start counts for its whole life. */
  relay(path: string, answer: IncomingMessage, response: ServerResponse): void {
    const watch = { path, response };
    const splitter = new LineSplitter(64 * 1024 * 1024);
    let isDead = false;
    this.#open.add(watch);
    response.once('close', () => this.#open.delete(watch));
    response.flushHeaders();
    answer.on('data', (chunk: Buffer) => {
      isDead ||= this.isStalled;
      if (isDead) return;
      for (const line of splitter.push(chunk)) this.#tell(watch, line);
    });
    answer.on('end', () => {
      if (!isDead) response.end();
    });
    answer.on('error', () => response.socket?.destroy());
  }

  #tell({ path, response }: OpenWatch, line: string): void {
    const fate = this.fateOf(line, path);
    if (typeof fate === 'string') this.spoiledCount += 1;
    if (fate === 'drop') return;
    if (fate === 'truncate') {
      response.write(line.slice(0, Math.floor(line.length / 2)), () => response.socket?.destroy());
      return;
    }
    response.write(`${fate.tell}\n`);
  }
}

function pass(line: string): LineFate {
  return { tell: line };
}
