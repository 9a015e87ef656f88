// SPDX-License-Identifier: Apache-2.0
import type { Flag } from '../cli/command.ts';
import { PROGRAM } from '../cli/help.ts';
import { FORMATS, type Group, isPath, type Offer, summaryOf } from './words.ts';

/** The script that has fish offer what `groups` are, with what each does. */
export function fishScript(groups: readonly Group[]): string {
  return groups
    .flatMap((one) => [
      `complete -c ${PROGRAM} -n __fish_use_subcommand -f -a ${one.name} -d ${word(summaryOf(one))}`,
      ...(one.own === undefined
        ? membersOf(one)
        : flagsOf(one.own, `__fish_seen_subcommand_from ${one.name}`)),
    ])
    .join('\n');
}

function membersOf({ name, members }: Group): readonly string[] {
  const isIn = `__fish_seen_subcommand_from ${name}`;
  const names = members.map((one) => one.name).join(' ');
  return members.flatMap((one) => [
    `complete -c ${PROGRAM} -n ${word(`${isIn}; and not __fish_seen_subcommand_from ${names}`)} -f -a ${one.name} -d ${word(one.summary)}`,
    ...flagsOf(one, `${isIn}; and __fish_seen_subcommand_from ${one.name}`),
  ]);
}

function flagsOf({ flags }: Offer, when: string): readonly string[] {
  return flags.map((flag) => {
    const { name, what } = flag;
    const short = name === 'output' ? ' -s o' : name === 'help' ? ' -s h' : '';
    return `complete -c ${PROGRAM} -n ${word(when)} -l ${name}${short}${valuesOf(flag)} -d ${word(what)}`;
  });
}

function valuesOf(flag: Flag): string {
  if (flag.value === undefined) return '';
  if (flag.name === 'output') return ` -x -a ${word(FORMATS.join(' '))}`;
  return isPath(flag) ? ' -r -F' : ' -x';
}

/** A word of fish: in its quotes, backslashes and quotes alone are read. */
function word(text: string): string {
  return `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`;
}
