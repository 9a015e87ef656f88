// SPDX-License-Identifier: Apache-2.0
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program with its arguments, ready to be started. */
export interface CommandLine {
  readonly program: string;
  readonly args: readonly string[];
}

/** Becomes the program (`$@`) only if the parent (`$0`) is still the one that asked for it. */
const startIfParentLives = '[ "$PPID" = "$0" ] && exec "$@"';

/**
 * The same command, to be started by this process and killed by the kernel when this process (or the thread
 * that starts it) is gone. `setpriv` (util-linux, on every Linux distribution) sets the signal, a shell
 * sees that the parent did not go before that, and becomes the program: pid and signals are the program's
 * own. Where `setpriv` is missing the command is returned as it is; then only orderly ends and sweeps stop
 * it.
 */
export function dieWithParent(command: CommandLine): CommandLine {
  const setpriv = process.platform === 'linux' ? findProgram('setpriv') : undefined;
  if (setpriv === undefined) {
    return command;
  }
  const shell = ['/bin/sh', '-c', startIfParentLives, String(process.pid)];
  const args = ['--pdeathsig', 'KILL', '--', ...shell, command.program, ...command.args];
  return { program: setpriv, args };
}

/** The full path of an executable on PATH, or undefined. */
export function findProgram(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
