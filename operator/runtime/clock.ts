// SPDX-License-Identifier: Apache-2.0

/** So far the clock of this machine and that of the API server may be apart, which tells its time by the second. */
const TOLERATED_MS = 5000;
/** The time of an answer is rounded down to a second. */
const HALF_A_SECOND_MS = 500;
/** So many answers in a row have to agree, over so long, before a time that was known is given up for theirs. */
const CONFIRMED = { answers: 5, forMs: 10_000 };
/** Before any time is known there is nothing to give up, and what the machine says may be wrong: that must not last. */
const CONFIRMED_AT_FIRST = { answers: 3, forMs: 0 };

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

/** Answers in a row that agree with each other, and with nothing that is known. */
interface Strangers {
  readonly answers: number;
  readonly sinceMs: number;
  /** By how much they are ahead of the clock that only goes on: the least and the most of them. */
  readonly leastMs: number;
  readonly mostMs: number;
}

/**
 * The time by which decisions are taken. Deadlines count from what others have written, above all the API server: the time of
 * creations and deletions. By a clock of this machine that is an hour ahead, whatever runs would be over its timeout; by one that is behind,
 * nothing ever would. So where the two are apart it is the time of the API server, as its answers tell it, carried on by the clock that nobody
 * can set. While they agree it is that of this machine, which is finer.
 * One answer alone moves nothing: it may come from one of several API servers, or from something between, whose clock is wrong.
 */
export class ServerClock {
  readonly #machine: MachineClock;
  #anchor: Anchor | undefined;
  #strangers: Strangers | undefined;

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
    const elapsedMs = this.#machine.elapsedMs();
    const isKnown = this.#anchor !== undefined;
    const fits = Math.abs(toldMs - (this.#serverMs() ?? this.#machine.wallMs())) <= TOLERATED_MS / 2;
    this.#strangers = fits ? undefined : joined(this.#strangers, toldMs - elapsedMs, elapsedMs);
    // Else the time would go to and fro with each answer.
    if (fits && isKnown) return;
    if (this.#strangers && !areConfirmed(this.#strangers, elapsedMs, isKnown)) return;
    this.#anchor = { serverMs: toldMs, elapsedMs };
    this.#strangers = undefined;
  }

  #serverMs(): number | undefined {
    const anchor = this.#anchor;
    return anchor && anchor.serverMs + this.#machine.elapsedMs() - anchor.elapsedMs;
  }
}

/** One more in the row, or the first of a new one if it does not agree with those before. */
function joined(row: Strangers | undefined, offMs: number, elapsedMs: number): Strangers {
  const leastMs = Math.min(row?.leastMs ?? offMs, offMs);
  const mostMs = Math.max(row?.mostMs ?? offMs, offMs);
  if (!row || mostMs - leastMs > TOLERATED_MS / 2)
    return { answers: 1, sinceMs: elapsedMs, leastMs: offMs, mostMs: offMs };
  return { answers: row.answers + 1, sinceMs: row.sinceMs, leastMs, mostMs };
}

function areConfirmed({ answers, sinceMs }: Strangers, elapsedMs: number, isKnown: boolean): boolean {
  const needed = isKnown ? CONFIRMED : CONFIRMED_AT_FIRST;
  return answers >= needed.answers && elapsedMs - sinceMs >= needed.forMs;
}

/** That of this process, which speaks to one API server. */
export const clock = new ServerClock();
