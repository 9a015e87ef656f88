// SPDX-License-Identifier: Apache-2.0
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/** What a process is told, and what it says. */
export interface Pipes {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

/**
 * The pipes of a child that was started with three of them. Undefined where it was not started for want of files (EMFILE, ENFILE): Node gives none
 * then, whatever the type says, and tells the error in the next turn.
 */
export function pipesOf({ stdin, stdout, stderr }: Partial<ChildProcess>): Pipes | undefined {
  return stdin && stdout && stderr ? { stdin, stdout, stderr } : undefined;
}

/**
 * Ends a child at once. One that was never started keeps a handle whose number is 0, and a signal to 0 goes to every process of the group of whoever
 * sends it, this one before all: so it is asked whether it has a number.
 */
export function killChild(child: Pick<ChildProcess, 'pid' | 'kill'>): void {
  if (child.pid !== undefined) child.kill('SIGKILL');
}
