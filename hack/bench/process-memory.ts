// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';

/** Resident memory of process `pid` in MB (10^6 bytes), as the kernel counts it. */
export function residentMegabytes(pid: number): Promise<number> {
  return megabytesOf(pid, 'VmRSS');
}

/** The most that process `pid` has ever had resident, in MB (10^6 bytes). */
export function peakMegabytes(pid: number): Promise<number> {
  return megabytesOf(pid, 'VmHWM');
}

async function megabytesOf(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return fieldMegabytes(status, field);
}

/** A field of /proc/<pid>/status, which the kernel tells in kibibytes, in MB; NaN where it is not there. */
export function fieldMegabytes(status: string, field: string): number {
  const kibibytes = Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN);
  return (kibibytes * 1024) / 1e6;
}
