// SPDX-License-Identifier: Apache-2.0
import { type RunResult, runProgram } from '../tools/run-program.ts';

/** How to run kubectl. */
export interface KubectlOptions {
  /** Given to it as standard input: `kubectl(['apply', '-f', '-'], { stdin })`. */
  readonly stdin?: string;
  /** Path of the kubeconfig to act with; the admin's by default. */
  readonly kubeconfig?: string;
}

/** Runs the kubectl at `program`. Its failing is a result; only that it cannot be started throws. */
export function runKubectl(
  program: string,
  args: readonly string[],
  { kubeconfig, stdin = '' }: KubectlOptions & { readonly kubeconfig: string },
): Promise<RunResult> {
  return runProgram(program, { args: ['--kubeconfig', kubeconfig, ...args], stdin });
}
