// SPDX-License-Identifier: Apache-2.0

/** So far the clock of this machine and that of the API server may be apart, which tells its time by the second. */
const TOLERATED_MS = 5000;
/** The time of an answer is rounded down to a second. */
const HALF_A_SECOND_MS = 500;

/** The two clocks of a machine: one that somebody can set, and one that only goes on. */
export interface MachineClock {
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  /** Milliseconds since anything. */
  readonly elapsedMs: () => number;
}

const MACHINE: MachineClock = { wallMs: () => Date.now(), elapsedMs: () => performance.now() };

interface Anchor {
  readonly serverMs: number;
  readonly elapsedMs: number;
}

/**
 * The time by which decisions are taken. Deadlines count from what others have written, above all the API server: the time of
 * creations and deletions. By a clock of this machine that is an hour ahead, whatever runs would be over its timeout; by one that is behind,
 * nothing ever would. So where the two are apart it is the time of the API server, as its answers tell it, carried on by the clock that nobody
 * can set. While they agree it is that of this machine, which is finer.
 */
export class ServerClock {
  readonly #machine: MachineClock;
  #anchor: Anchor | undefined;

  constructor(machine: MachineClock = MACHINE) {
    this.#machine = machine;
  }

  /** Whether this machine and the API server disagree. */
  get isApart(): boolean {
    return this.now().getTime() !== this.#machine.wallMs();
  }

  now(): Date {
    const wallMs = this.#machine.wallMs();
    const serverMs = this.#serverMs();
    const isApart = serverMs !== undefined && Math.abs(wallMs - serverMs) > TOLERATED_MS;
    return new Date(isApart ? serverMs : wallMs);
  }

  /** Takes note of the `Date` header of an answer that has just come. */
  observe(date: string | readonly string[] | undefined): void {
    const toldMs = Date.parse(typeof date === 'string' ? date : '') + HALF_A_SECOND_MS;
    if (Number.isNaN(toldMs)) return;
    const expectedMs = this.#serverMs();
    // Else the time would go to and fro with each answer.
    if (expectedMs !== undefined && Math.abs(toldMs - expectedMs) <= TOLERATED_MS / 2) return;
    this.#anchor = { serverMs: toldMs, elapsedMs: this.#machine.elapsedMs() };
  }

  #serverMs(): number | undefined {
    const anchor = this.#anchor;
    return anchor && anchor.serverMs + this.#machine.elapsedMs() - anchor.elapsedMs;
  }
}

/** That of this process, which speaks to one API server. */
export const clock = new ServerClock();
