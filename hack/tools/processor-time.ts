// SPDX-License-Identifier: Apache-2.0

/** Milliseconds of a processor that `work` took in this thread: the same on a machine that does much else. */
export function processorMs(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
