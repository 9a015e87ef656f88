// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits until `holds` is true, looking again every 50 ms. What it throws counts as "not yet", and is the cause of the error
 * when the deadline passes.
 *
 * @throws Error when it does not hold within `deadlineMs` (default 30 s).
 */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadlineMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  let cause: unknown;
  while (performance.now() < deadline) {
    try {
      if (await holds()) return;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await delay(50);
  }
  throw new Error(`not within ${deadlineMs / 1000} s: ${what}`, { cause });
}
