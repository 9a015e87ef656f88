// SPDX-License-Identifier: Apache-2.0
import { COMMON_FLAGS, type Command, type Flag } from './command.ts';
import { columns } from './output.ts';
import { argumentText } from './parse.ts';

/** Name of the program in its own texts. */
export const PROGRAM = 'nexusctl';

/** `nexusctl pack test FOLDER [flags]`. */
export function usageOf({ path, args }: Command): string {
  return [PROGRAM, ...path, ...args.map(argumentText), '[flags]'].join(' ');
}

/** What is told of the commands below `about`: all about one, or a list of several. */
export function helpText(about: readonly string[], commands: readonly Command[]): string {
  const found = commands.filter((one) => about.every((part, index) => one.path[index] === part));
  const [only] = found;
  if (only !== undefined && only.path.length === about.length) return commandHelp(only);
  const shown = found.length === 0 ? commands : found;
  const rows = shown.map((one) => [`  ${one.path.join(' ')}`, one.summary]);
  return [
    `${PROGRAM}: the command line of NexusOS`,
    '',
    'Commands:',
    ...columns(rows),
    '',
    `${PROGRAM} COMMAND --help says more. Exit codes: 0 done; 1 done, and the answer is no; 2 cannot be done as asked; 3 something that is needed is not there.`,
  ].join('\n');
}

function commandHelp(command: Command): string {
  const { summary, about, args, flags, examples } = command;
  const all = [...flags, ...COMMON_FLAGS];
  return [
    `Usage: ${usageOf(command)}`,
    '',
    `${summary}.`,
    ...(about === '' ? [] : ['', about]),
    ...section(
      'Arguments',
      args.map(({ name, what }) => [`  ${name}`, what]),
    ),
    ...section(
      'Flags',
      all.map((one) => [`  ${flagText(one)}`, flagWhat(one)]),
    ),
    ...section(
      'Examples',
      examples.map((one) => [`  ${PROGRAM} ${one}`]),
    ),
  ].join('\n');
}

function section(title: string, rows: readonly (readonly string[])[]): readonly string[] {
  return rows.length === 0 ? [] : ['', `${title}:`, ...columns(rows)];
}

/** `--inventory FOLDER`. */
export function flagText({ name, value }: Flag): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

function flagWhat({ what, default: value }: Flag): string {
  return value === undefined ? what : `${what} (${value})`;
}
