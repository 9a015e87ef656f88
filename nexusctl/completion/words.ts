// SPDX-License-Identifier: Apache-2.0
import { COMMON_FLAGS, type Command, type Flag } from '../cli/command.ts';

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
  readonly flags: readonly Flag[];
}

/** Formats of `--output`. */
export const FORMATS = ['table', 'json', 'yaml'] as const;
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

function offerOf({ path, summary, flags }: Command, at: number): Offer {
  return { name: path[at] ?? '', summary, flags: [...flags, ...COMMON_FLAGS] };
}

/** What a group says of itself: what its command does, or the names of several. */
export function summaryOf({ own, members }: Group): string {
  return own?.summary ?? members.map(({ name }) => name).join(', ');
}

/** Whether the value of a flag is the name of a file or folder. */
export function isPath({ value }: Flag): boolean {
  return value !== undefined && PATHS.has(value);
}

/** A text as one word of any of these shells: nothing in it is read by them. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
