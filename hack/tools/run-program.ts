// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { dieWithParent } from './die-with-parent.ts';

/** How to run a program to its end. */
export interface RunOptions {
  readonly args: readonly string[];
  readonly stdin?: string;
  /** The whole environment. Default: that of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** What a program that ended said. */
export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  /** 128 when a signal ended it. */
  readonly code: number;
}

/** Runs a program, which ends with this process. Its failing is a result; only that it cannot be started throws. */
export function runProgram(program: string, options: RunOptions): Promise<RunResult> {
  const command = dieWithParent({ program, args: options.args });
  const child = spawn(command.program, command.args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.env !== undefined && { env: options.env }),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8');
    child[stream].on('data', (chunk) => {
      output[stream] += String(chunk);
    });
  }
  // A program may end without having read its input, which is no error of ours.
  child.stdin.on('error', () => child.stdin.destroy());
  child.stdin.end(options.stdin ?? '');
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ ...output, code: code ?? 128 }));
  });
}
