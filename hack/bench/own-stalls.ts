// SPDX-License-Identifier: Apache-2.0

/** How often the loop is looked at, in milliseconds. */
const LOOK_MS = 1;

/** How long a thread was held up by itself, in milliseconds of a processor. */
export interface Stalls {
  readonly longest: number;
  readonly p99: number;
}

/**
 * How long the loop of this thread is held up by what is done in it: of the time between two looks no more than the thread has had of a processor. By
 * the clock, beside other programs, a stall is mostly theirs.
 */
export class OwnStalls {
  readonly #all: number[] = [];
  readonly #timer: NodeJS.Timeout;
  #lookedAt = performance.now();
  #spentMs = spentMs();

  constructor() {
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Ends it. */
  stop(): Stalls {
    clearInterval(this.#timer);
    const sorted = this.#all.toSorted((one, other) => one - other);
    return { longest: sorted.at(-1) ?? 0, p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0 };
  }

  #look(): void {
    const now = performance.now();
    const spent = spentMs();
    const late = Math.max(0, now - this.#lookedAt - LOOK_MS);
    this.#all.push(Math.min(late, spent - this.#spentMs));
    this.#lookedAt = now;
    this.#spentMs = spent;
  }
}

function spentMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
