// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';

/** Ticks of a second in /proc: the kernel tells 100 to every program, whatever it counts itself. */
const TICKS = 100;

/** Processor time that process `pid` has taken since its start, in its own code and in the kernel, in seconds. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name of the program may hold anything, but what follows its last parenthesis is numbers.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user = Number.NaN, system = Number.NaN] = fields.slice(11, 13).map(Number);
  return (user + system) / TICKS;
}
