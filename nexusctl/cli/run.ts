// SPDX-License-Identifier: Apache-2.0
import { type Command, CommandError, EXIT, type ExitCode } from './command.ts';
import { helpText, PROGRAM } from './help.ts';
import { outputText, printable } from './output.ts';
import { parseCommandLine } from './parse.ts';

/** What a command line is carried out with. */
export interface Surroundings {
  readonly commands: readonly Command[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
}

/** Carries out one command line; the exit code. What was expected to go wrong is told in plain words. */
export async function runCommandLine(words: readonly string[], around: Surroundings): Promise<ExitCode> {
  try {
    return await carryOut(words, around);
  } catch (thrown) {
    const error = ofFile(thrown) ?? thrown;
    if (!(error instanceof CommandError)) throw error;
    const lines = [
      `${PROGRAM}: ${printable(error.message)}`,
      ...error.details.map((one) => `  ${printable(one)}`),
    ];
    around.complain(lines.join('\n'));
    return error.code;
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'it, or the folder that it is to be in, is not there',
  ENOTDIR: 'what it is to be in is no folder',
  EISDIR: 'it is a folder',
  EACCES: 'you may not',
  EROFS: 'nothing can be written there',
  ENOSPC: 'there is no room left',
};

/** A file that somebody names, and that cannot be opened: mostly one that was to be written. */
function ofFile(error: unknown): CommandError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, path } = error as { readonly code?: unknown; readonly path?: unknown };
  if (typeof code !== 'string' || typeof path !== 'string' || !Object.hasOwn(WHY, code)) return undefined;
  return new CommandError(EXIT.usage, `${path} cannot be opened: ${WHY[code]}`);
}

async function carryOut(words: readonly string[], around: Surroundings): Promise<ExitCode> {
  const { commands, env, cwd, print } = around;
  const parsed = parseCommandLine(words, commands);
  if (parsed.kind === 'help') {
    print(helpText(parsed.about, commands));
    return 0;
  }
  const { command, args, flags } = parsed;
  const outcome = await command.run({ args, flags, env, cwd });
  const text = outputText(outcome, String(flags['output']));
  if (text !== '') print(text);
  return outcome.code;
}
