// SPDX-License-Identifier: Apache-2.0

/** How often the loop is looked at, in milliseconds. */
const LOOK_MS = 1;

/** How long the loop was held up between two looks, in milliseconds. */
export interface Stall {
  /** By the clock: how much later the loop came than it was to. */
  readonly clock: number;
  /** As much of that as the thread has had of a processor meanwhile. */
  readonly own: number;
}

/** How long a thread was held up by itself, in milliseconds of a processor. */
export interface Stalls {
  readonly longest: number;
  readonly p99: number;
}

/**
 * Tells after each turn of the loop of this thread how long it was held up. By the clock, beside other programs, a stall is mostly theirs; what the
 * thread has had of a processor is its own. It keeps no process. Returns what ends it.
 */
export function watchLoop(take: (stall: Stall) => void): () => void {
  let lookedAt = performance.now();
  let before = spentMs();
  const timer = setInterval(() => {
    const now = performance.now();
    const spent = spentMs();
    const clock = Math.max(0, now - lookedAt - LOOK_MS);
    take({ clock, own: Math.min(clock, spent - before) });
    lookedAt = now;
    before = spent;
  }, LOOK_MS).unref();
  return () => clearInterval(timer);
}

/** How long the loop of this thread is held up by what is done in it: of the time between two looks no more than the thread has had of a processor. */
export class OwnStalls {
  readonly #all: number[] = [];
  readonly #end: () => void;

  constructor() {
    this.#end = watchLoop(({ own }) => this.#all.push(own));
  }

  /** Ends it. */
  stop(): Stalls {
    this.#end();
    const sorted = this.#all.toSorted((one, other) => one - other);
    return { longest: sorted.at(-1) ?? 0, p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0 };
  }
}

function spentMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
