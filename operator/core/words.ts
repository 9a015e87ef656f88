// SPDX-License-Identifier: Apache-2.0

/** countOf(1, 'Run') -> '1 Run', countOf(2, 'Run') -> '2 Runs': a number of things, in a message for people. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
