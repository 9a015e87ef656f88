// SPDX-License-Identifier: Apache-2.0
import type { ChildProcess } from 'node:child_process';

/**
 * Sends a child a signal, and says whether it was there to get it. One that was never started, as for want of files (EMFILE), keeps a handle whose
 * number is 0, and a signal to 0 goes to every process of the group of whoever sends it, this one before all: so it is asked whether it has a number.
 */
export function signalChild(child: Pick<ChildProcess, 'pid' | 'kill'>, signal: NodeJS.Signals): boolean {
  return child.pid !== undefined && child.kill(signal);
}
