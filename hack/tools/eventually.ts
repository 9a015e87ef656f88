// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';

/** Far beyond what anything takes on a quiet machine: it ends what would never come, and fails nobody for being slow. */
const WITHIN_MS = 120_000;
/** After each look; longer the longer it has been waited. */
const PAUSE = { leastMs: 25, mostMs: 250, shareOfWaited: 0.1 };

/**
 * How long to pause between two looks, in milliseconds. Who waits for long is told a tenth too late at most, and leaves the
 * processors to those who are waited for: with looks as close as at first, tests spend more on looking than on what they test.
 */
export function pauseMs(waitedMs: number): number {
  return Math.min(Math.max(waitedMs * PAUSE.shareOfWaited, PAUSE.leastMs), PAUSE.mostMs);
}

/**
 * Waits until `look` finds something, which is anything but undefined and false, and returns it. What `look` throws counts
 * as not yet; the last of it is in the message, and the cause, of the error when the deadline passes.
 *
 * @throws Error naming `what` when there is nothing within `withinMs` (default two minutes).
 */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs = WITHIN_MS,
): Promise<Exclude<T, false | undefined>> {
  const startedAt = performance.now();
  const deadline = startedAt + withinMs;
  let cause: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found as Exclude<T, false | undefined>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    const now = performance.now();
    if (now >= deadline) break;
    await delay(Math.min(pauseMs(now - startedAt), deadline - now));
  }
  const last = cause instanceof Error ? `; last seen: ${cause.message}` : '';
  throw new Error(`not within ${withinMs / 1000} s: ${what}${last}`, { cause });
}
