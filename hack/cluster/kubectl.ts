// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { dieWithParent } from '../tools/die-with-parent.ts';

/** How to run kubectl. */
export interface KubectlOptions {
  /** Given to it as standard input: `kubectl(['apply', '-f', '-'], { stdin })`. */
  readonly stdin?: string;
  /** Path of the kubeconfig to act with; the admin's by default. */
  readonly kubeconfig?: string;
}

/** What a program that ended said. */
export interface ProgramResult {
  readonly stdout: string;
  readonly stderr: string;
  /** 128 when a signal ended it. */
  readonly code: number;
}

/** Runs the kubectl at `program`. Its failing is a result; only that it cannot be started throws. */
export function runKubectl(
  program: string,
  args: readonly string[],
  options: KubectlOptions & { readonly kubeconfig: string },
): Promise<ProgramResult> {
  const command = dieWithParent({ program, args: ['--kubeconfig', options.kubeconfig, ...args] });
  const child = spawn(command.program, command.args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8');
    child[stream].on('data', (chunk) => {
      output[stream] += String(chunk);
    });
  }
  // kubectl may leave without having read its input, which is no error of ours.
  child.stdin.on('error', () => child.stdin.destroy());
  child.stdin.end(options.stdin ?? '');
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ ...output, code: code ?? 128 }));
  });
}
