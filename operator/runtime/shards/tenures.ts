// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import { NotLeadingError } from '../leader-election.ts';
import type { Fence } from '../request-limit.ts';

/** Something that one process at a time works on: a shard, or what belongs to who leads. */
export type Part = number | 'lead';

/** The time for which this process may work on a part, and what is made for it. */
export class Tenure<Made> {
  readonly fence: Fence;
  readonly #make: (name: string, fence: Fence) => Made;
  /** Kept no longer than the tenure: what it remembers may be otherwise when the part comes back. */
  readonly #made = new Map<string, Made>();
  #isOpen = true;
  #underWay = 0;
  #wakeIdle: (() => void)[] = [];

  #isOver = false;

  constructor(fence: Fence, make: (name: string, fence: Fence) => Made) {
    // What was begun in this tenure is not written in a later one of the same part, though that has the same fence.
    this.fence = () => {
      if (this.#isOver) throw new NotLeadingError();
      return fence();
    };
    this.#make = make;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** What is made for `name` in this tenure. */
  of(name: string): Made {
    let made = this.#made.get(name);
    if (made === undefined) {
      made = this.#make(name, this.fence);
      this.#made.set(name, made);
    }
    return made;
  }

  /** Nothing of it is written any more. */
  end(): void {
    this.#isOpen = false;
    this.#isOver = true;
  }

  /** Does `work`, which counts as under way until it is over. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) for (const wake of this.#wakeIdle.splice(0)) wake();
    }
  }

  /** Begins nothing more. Resolves with whether all that was begun is over, after `withinMs` at the latest. */
  async drain(withinMs: number): Promise<boolean> {
    this.#isOpen = false;
    if (this.#underWay === 0) return true;
    const end = new AbortController();
    const late = sleep(withinMs, undefined, { signal: end.signal }).catch(() => undefined);
    const idle = new Promise<void>((resolve) => {
      this.#wakeIdle.push(resolve);
    });
    await Promise.race([idle, late]);
    end.abort();
    return this.#underWay === 0;
  }
}

/** What this process may work on at this moment. */
export class Tenures<Made> {
  readonly #make: (name: string, fence: Fence) => Made;
  readonly #held = new Map<Part, Tenure<Made>>();

  /** `make` is asked once in each tenure for each name. */
  constructor(make: (name: string, fence: Fence) => Made) {
    this.#make = make;
  }

  /** Whether a part is held, be it that nothing more of it is begun. */
  has(part: Part): boolean {
    return this.#held.has(part);
  }

  /** Whether nothing is held. */
  get isIdle(): boolean {
    return this.#held.size === 0;
  }

  begin(part: Part, fence: Fence): void {
    this.end(part);
    this.#held.set(part, new Tenure(fence, this.#make));
  }

  end(part: Part): void {
    this.#held.get(part)?.end();
    this.#held.delete(part);
  }

  /** The tenure of a part, if something of it may be begun. */
  open(part: Part): Tenure<Made> | undefined {
    const tenure = this.#held.get(part);
    return tenure?.isOpen === true ? tenure : undefined;
  }

  /** Begins nothing more of a part. Resolves with whether all of it that was begun is over. */
  drain(part: Part, withinMs: number): Promise<boolean> {
    return this.#held.get(part)?.drain(withinMs) ?? Promise.resolve(true);
  }

  /** The longest that any of them may still be worked on: for what belongs to none. @throws NotLeadingError */
  readonly anyFence: Fence = () => {
    const left = [...this.#held.values()].map(({ fence }) => leftMs(fence));
    const most = Math.max(0, ...left);
    if (most > 0) return most;
    throw new NotLeadingError();
  };
}

function leftMs(fence: Fence): number {
  try {
    return fence();
  } catch (error) {
    if (error instanceof NotLeadingError) return 0;
    throw error;
  }
}
