// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';

/**
 * The pids of all live processes whose command line names `dataDir`: those of a cluster, found without
 * asking the cluster. Linux only.
 */
export function processesNaming(dataDir: string): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => commandLine(pid).includes(dataDir))
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

/** A zombie has no command line, so it does not count. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
