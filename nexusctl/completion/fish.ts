// SPDX-License-Identifier: Apache-2.0
import type { Flag } from '../cli/command.ts';
import { PROGRAM } from '../cli/help.ts';
import { type Group, isPath, type Offer, shortOf, summaryOf } from './words.ts';

/** The script that has fish offer what `groups` are, with what each does. */
export function fishScript(groups: readonly Group[]): string {
  return groups
    .flatMap((one) => [
      `complete -c ${PROGRAM} -n __fish_use_subcommand -f -a ${one.name} -d ${word(summaryOf(one))}`,
      ...(one.own === undefined
        ? membersOf(one)
        : behind(one.own, `__fish_seen_subcommand_from ${one.name}`)),
    ])
    .join('\n');
}

function membersOf({ name, members }: Group): readonly string[] {
  const isIn = `__fish_seen_subcommand_from ${name}`;
  const names = members.map((one) => one.name).join(' ');
  return members.flatMap((one) => [
    `complete -c ${PROGRAM} -n ${word(`${isIn}; and not __fish_seen_subcommand_from ${names}`)} -f -a ${one.name} -d ${word(one.summary)}`,
    ...behind(one, `${isIn}; and __fish_seen_subcommand_from ${one.name}`),
  ]);
}

/** What stands behind a command: its flags, and what its arguments can be. */
function behind({ flags, args }: Offer, when: string): readonly string[] {
  const values = args.flatMap((one) => one.values ?? []);
  const offered = values.map((one) => `complete -c ${PROGRAM} -n ${word(when)} -f -a ${one}`);
  return [...offered, ...flags.map((flag) => flagOf(flag, when))];
}

function flagOf(flag: Flag, when: string): string {
  const { name, what } = flag;
  const letter = shortOf(flag);
  const short = letter === undefined ? '' : ` -s ${letter}`;
  return `complete -c ${PROGRAM} -n ${word(when)} -l ${name}${short}${valuesOf(flag)} -d ${word(what)}`;
}

function valuesOf(flag: Flag): string {
  if (flag.value === undefined) return '';
  if (flag.values !== undefined) return ` -x -a ${word(flag.values.join(' '))}`;
  return isPath(flag) ? ' -r -F' : ' -x';
}

/** A word of fish: in its quotes, backslashes and quotes alone are read. */
function word(text: string): string {
  return `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`;
}
