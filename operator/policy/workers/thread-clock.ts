// SPDX-License-Identifier: Apache-2.0
import { readFileSync, readlinkSync } from 'node:fs';

/** Milliseconds of a processor that a thread of this process has had; undefined where nobody tells. */
export type ThreadClock = (thread: number) => number | undefined;

/** The number by which the system knows the calling thread; undefined where it is not told. */
export function ownThread(): number | undefined {
  try {
    const number = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    return Number.isInteger(number) ? number : undefined;
  } catch {
    return undefined;
  }
}

/** What the calling thread has had itself, in milliseconds. */
export function ownProcessorMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** What Linux has given a thread. Tells of another thread, also of one that answers nobody; to the tick, which is some milliseconds. */
export const processorMs: ThreadClock = (thread) => {
  try {
    const [nanoseconds = ''] = readFileSync(`/proc/self/task/${thread}/schedstat`, 'utf8').split(' ');
    const had = Number(nanoseconds);
    return nanoseconds !== '' && Number.isFinite(had) ? had / 1e6 : undefined;
  } catch {
    return undefined;
  }
};
