// SPDX-License-Identifier: Apache-2.0
import { setPriority } from 'node:os';

/** How far behind others a thread goes that evaluates what takes long: beside them it has about a third of what they have. */
const NICENESS = 5;

/**
 * Lets the other threads of this process go first, for as long as this one lives: to go down needs no privilege, to go up again does. By
 * the number that the system has for the thread; where it has none, or refuses, all stay as they were.
 */
export function letOthersGoFirst(thread: number): void {
  try {
    setPriority(thread, NICENESS);
  } catch {
    // Such as in a sandbox: what is evaluated is right all the same.
  }
}
