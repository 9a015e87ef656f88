// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_AGAIN_MS = 25;
/** Far beyond what anything takes on a quiet machine: it ends what would never come, and fails nobody for being slow. */
const WITHIN_MS = 120_000;

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
  const deadline = performance.now() + withinMs;
  let cause: unknown;
  do {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found as Exclude<T, false | undefined>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await delay(LOOK_AGAIN_MS);
  } while (performance.now() < deadline);
  const last = cause instanceof Error ? `; last seen: ${cause.message}` : '';
  throw new Error(`not within ${withinMs / 1000} s: ${what}${last}`, { cause });
}
