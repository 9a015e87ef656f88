// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Sandbox } from './sandbox.ts';

const ROOT = join(import.meta.dirname, '../..');

/** A running command of the repository. */
export interface RunningCommand {
  readonly pid: number;
  /** Lines that it has printed so far. */
  readonly lines: readonly string[];
  /** Whether it has ended. */
  readonly hasEnded: () => boolean;
  /** Resolves with how it ended: an exit code, or the name of a signal. */
  readonly ended: Promise<number | string>;
}

/** Starts `program` of this repository inside `sandbox`, as its own parent of a process group, like a shell does. */
export function startCommand(program: string, args: readonly string[], sandbox: Sandbox): RunningCommand {
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...process.env, ...sandbox.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const lines: string[] = [];
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => lines.push(line));
  }
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  return {
    pid: child.pid ?? 0,
    lines,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    ended,
  };
}
