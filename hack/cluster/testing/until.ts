// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 25;
const defaultTimeoutMs = 30_000;

/**
 * What `look` finds, as soon as it finds something: anything but undefined and false. Throws, naming
 * `what` was waited for, when there is nothing after `timeoutMs`.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  timeoutMs = defaultTimeoutMs,
): Promise<Exclude<T, false>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) {
      return found as Exclude<T, false>;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`);
    }
    await delay(pollMs);
  }
}
