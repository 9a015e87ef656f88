// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';

/** Between looks at a condition. */
const LOOK_MS = 20;

/**
 * Waits until `look` returns true; what it throws counts as not yet.
 *
 * @throws Error after `withinMs`, with `what` and what was wrong at the last look.
 */
export async function eventually(
  what: string,
  look: () => boolean | Promise<boolean>,
  withinMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  let last: unknown = 'it was false';
  while (performance.now() < deadline) {
    try {
      if (await look()) return;
      last = 'it was false';
    } catch (error) {
      last = error;
    }
    await sleep(LOOK_MS);
  }
  throw new Error(`not within ${withinMs} ms: ${what}`, { cause: last });
}
