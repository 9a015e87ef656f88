// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';

/** Resident memory of process `pid` in MB (10^6 bytes), as the kernel counts it. */
export async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN);
  return (kibibytes * 1024) / 1e6;
}
