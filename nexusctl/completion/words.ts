// SPDX-License-Identifier: Apache-2.0
import { type Argument, COMMON_FLAGS, type Command, type Flag } from '../cli/command.ts';

/** What a shell offers behind one name: `pack`, with its commands, or `verify` itself. */
export interface Group {
  readonly name: string;
  /** Commands of two words, by the second; empty where the name is a command. */
  readonly members: readonly Offer[];
  /** The command, where the name is one. */
  readonly own: Offer | undefined;
}

/** A command as a shell offers it. */
export interface Offer {
  readonly name: string;
  readonly summary: string;
  readonly args: readonly Argument[];
  readonly flags: readonly Flag[];
  /** Words before the first of its arguments, that of the program among them. */
  readonly words: number;
}

/** Values that are names of files or folders, by what stands for them in help. */
const PATHS: ReadonlySet<string> = new Set(['FILE', 'FOLDER', 'PATH']);

/** Commands by their first words, in the order of help. */
export function groupsOf(commands: readonly Command[]): readonly Group[] {
  const names = [...new Set(commands.map(({ path }) => path[0] ?? ''))];
  return names.map((name) => {
    const found = commands.filter(({ path }) => path[0] === name);
    const alone = found.find(({ path }) => path.length === 1);
    const members = found.filter(({ path }) => path.length > 1).map((one) => offerOf(one, 1));
    return { name, members, own: alone && offerOf(alone, 0) };
  });
}

function offerOf({ path, summary, args, flags }: Command, at: number): Offer {
  return { name: path[at] ?? '', summary, args, flags: [...flags, ...COMMON_FLAGS], words: path.length + 1 };
}

/** What a group says of itself: what its command does, or the names of several. */
export function summaryOf({ own, members }: Group): string {
  return own?.summary ?? members.map(({ name }) => name).join(', ');
}

/** The short name of a flag; few have one. */
export function shortOf({ name }: Flag): string | undefined {
  return name === 'output' ? 'o' : name === 'help' ? 'h' : undefined;
}

/** Whether the value of a flag is the name of a file or folder. */
export function isPath({ value }: Flag): boolean {
  return value !== undefined && PATHS.has(value);
}

/** A text as one word of bash and of zsh: nothing in it is read by them. Within quotes of fish, backslashes are. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
