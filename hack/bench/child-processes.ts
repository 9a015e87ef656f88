// SPDX-License-Identifier: Apache-2.0
import { readdir, readFile } from 'node:fs/promises';

/** Processes that process `pid` has started, and that have not ended. */
export async function childrenOf(pid: number): Promise<readonly number[]> {
  const others = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = await Promise.all(others.map(parentOf));
  return others.filter((_, index) => parents[index] === pid);
}

async function parentOf(pid: number): Promise<number | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return parentIn(stat);
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

/** The parent in the text of /proc/<pid>/stat. The name of the program may hold anything, but what follows its last parenthesis is not its name. */
export function parentIn(stat: string): number {
  const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(parent);
}
