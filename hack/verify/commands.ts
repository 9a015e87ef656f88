// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Check } from './check.ts';

/** A program of node_modules that judges the repository and says what it dislikes on its output. */
export interface Command {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

/** The programs that judge, in the order in which their complaints are best read. */
export const COMMANDS: readonly Command[] = [
  { name: 'types', program: 'tsc', args: ['--noEmit', '--pretty', 'false'] },
  { name: 'lint', program: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  { name: 'format', program: 'biome', args: ['ci', '--colors=off', '.'] },
];

/** The check that passes when `command` ends with 0, in the repository at `root`. */
export function commandCheck(root: string, command: Command): Check {
  return {
    name: command.name,
    run: async () => {
      const { code, output } = await run(root, command);
      const how = `${command.program} ${command.args.join(' ')} ended with ${code}`;
      return { problems: code === 0 ? [] : [...output.trim().split('\n'), how] };
    },
  };
}

function run(root: string, { program, args }: Command): Promise<{ code: number; output: string }> {
  const child = spawn(join(root, 'node_modules/.bin', program), [...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 128, output }));
  });
}
