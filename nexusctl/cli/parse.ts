// SPDX-License-Identifier: Apache-2.0
import { parseArgs } from 'node:util';
import {
  type Argument,
  COMMON_FLAGS,
  type Command,
  CommandError,
  EXIT,
  eitherOf,
  type Flag,
} from './command.ts';

/** A command and what it was given, or a wish for help. */
export type Parsed =
  | { readonly kind: 'help'; readonly about: readonly string[] }
  | {
      readonly kind: 'call';
      readonly command: Command;
      readonly args: readonly string[];
      readonly flags: Readonly<Record<string, string | true>>;
    };

/** Finds the command and reads its arguments. What cannot be read is a `CommandError` that says what would pass. */
export function parseCommandLine(words: readonly string[], commands: readonly Command[]): Parsed {
  if (words[0] === '--version') return parseCommandLine(['version', ...words.slice(1)], commands);
  const path = leadingWords(words);
  const command = commands.find((one) => one.path.every((part, index) => path[index] === part));
  if (command === undefined) return withoutCommand(words, commands);
  const { values, positionals } = read(words.slice(command.path.length), command);
  if (values['help'] === true) return { kind: 'help', about: command.path };
  checkCount(positionals, command);
  const known = [...COMMON_FLAGS, ...command.flags];
  const defaults = known.flatMap(({ name, default: value }) =>
    value === undefined ? [] : [[name, value] as const],
  );
  const flags = { ...Object.fromEntries(defaults), ...values };
  for (const flag of known) checkValue(flag, flags[flag.name]);
  return { kind: 'call', command, args: positionals, flags };
}

function checkValue({ name, values }: Flag, value: string | true | undefined): void {
  if (values === undefined || value === undefined || values.includes(String(value))) return;
  throw new CommandError(EXIT.usage, `--${name} is ${String(value)}; it can be ${eitherOf(values)}`);
}

function leadingWords(words: readonly string[]): readonly string[] {
  const end = words.findIndex((word) => word.startsWith('-'));
  return end === -1 ? words : words.slice(0, end);
}

/** Help where it is wished for, or where nothing was said. */
function withoutCommand(words: readonly string[], commands: readonly Command[]): Parsed {
  const path = leadingWords(words);
  const [first] = path;
  const isGroup = first === undefined || commands.some((one) => one.path[0] === first);
  const wantsHelp = words.includes('--help') || words.includes('-h') || first === 'help';
  if (wantsHelp) return { kind: 'help', about: first === 'help' ? path.slice(1) : path };
  if (words.length === 0 || (isGroup && path.length === 1)) return { kind: 'help', about: path };
  const known = commands.filter((one) => !isGroup || first === undefined || one.path[0] === first);
  const names = [...new Set(known.map((one) => one.path.join(' ')))];
  throw new CommandError(
    EXIT.usage,
    `there is no command ${path.join(' ') || String(words[0])}; there are ${names.join(', ')}`,
  );
}

type Values = Readonly<Record<string, string | true>>;

function read(
  words: readonly string[],
  command: Command,
): { readonly values: Values; readonly positionals: string[] } {
  const known = [...COMMON_FLAGS, ...command.flags];
  const options = Object.fromEntries(
    known.map(({ name, value }) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), ...shortOf(name) },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      options,
      allowPositionals: true,
      strict: true,
    });
    return { values: values as Values, positionals };
  } catch (error) {
    const [why = ''] = String(error instanceof Error ? error.message : error).split('. To specify');
    throw new CommandError(EXIT.usage, `${command.path.join(' ')}: ${why}`, [
      `it takes ${known.map(({ name }) => `--${name}`).join(', ')}`,
    ]);
  }
}

function shortOf(name: string): { readonly short?: string } {
  if (name === 'output') return { short: 'o' };
  return name === 'help' ? { short: 'h' } : {};
}

function checkCount(found: readonly string[], { path, args }: Command): void {
  const least = args.filter((one) => one.isOptional !== true).length;
  if (found.length >= least && found.length <= args.length) return;
  const wanted = args.length === 0 ? 'no arguments' : args.map(argumentText).join(' ');
  throw new CommandError(EXIT.usage, `${path.join(' ')} takes ${wanted}; ${found.length} given`);
}

/** `FOLDER`, or `[FOLDER]` where it can be left out. */
export function argumentText({ name, isOptional = false }: Argument): string {
  return isOptional ? `[${name}]` : name;
}
