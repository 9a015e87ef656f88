// SPDX-License-Identifier: Apache-2.0

/** Figures of a status, which change all the time, are written at most this often, in milliseconds. */
const INTERVAL_MS = 5000;

/** Figures as they were written last. */
export interface WrittenFigures {
  /** An instant; undefined when they are to be written in any case. */
  readonly at: string | undefined;
  /** Whether those of now are the same. */
  readonly isSame: boolean;
}

/**
 * For how long figures stay as they were written, in milliseconds: none when those of now are to be written, without end when they
 * are the same. What was written after `now`, by a clock that has gone back since, holds nothing back.
 */
export function keptForMs({ at, isSame }: WrittenFigures, now: Date): number {
  if (at === undefined) return 0;
  if (isSame) return Infinity;
  // Instants have whole seconds, so what was written is up to a second younger than it says.
  const leftMs = Date.parse(at) + INTERVAL_MS - now.getTime();
  return leftMs > 0 && leftMs <= INTERVAL_MS ? leftMs : 0;
}
