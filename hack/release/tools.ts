// SPDX-License-Identifier: Apache-2.0
import { runProgram } from '../tools/run-program.ts';
import { ReleaseError } from './source.ts';

/** Programs that push and sign. */
export interface Tools {
  readonly crane: string;
  readonly cosign: string;
}

/** Runs one of them with the environment of this process, where credentials, passwords and keys are. What it was called with is not told: only what it says. */
export async function run(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(program, { args });
  if (code === 0) return stdout.trim();
  const name = program.split('/').at(-1) ?? program;
  throw new ReleaseError(`${name} ${args[0] ?? ''} failed:\n${stderr.trim()}`);
}
