// SPDX-License-Identifier: Apache-2.0
import { PROGRAM } from '../cli/help.ts';
import { FORMATS, type Group, isPath, type Offer, quoted } from './words.ts';

/** The script that has bash offer what `groups` are. It needs bash alone. */
export function bashScript(groups: readonly Group[]): string {
  const offers = groups.flatMap(({ own, members }) => [...(own === undefined ? [] : [own]), ...members]);
  const flags = offers.flatMap((one) => one.flags.filter(({ value }) => value !== undefined));
  const others = [...new Set(flags.filter((one) => !isPath(one)).map(({ name }) => `--${name}`))];
  const paths = [...new Set(flags.filter(isPath).map(({ name }) => `--${name}`))];
  return [
    `_${PROGRAM}() {`,
    '  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" words=""',
    '  COMPREPLY=()',
    '  case "$previous" in',
    `    -o|--output) words=${quoted(FORMATS.join(' '))} ;;`,
    `    ${paths.join('|')}) compopt -o default 2>/dev/null; return ;;`,
    `    ${others.filter((one) => one !== '--output').join('|')}) return ;;`,
    '    *)',
    '      if [ "$COMP_CWORD" -eq 1 ]; then',
    `        words=${quoted([...groups.map(({ name }) => name), '--help', '--version'].join(' '))}`,
    '      else',
    '        case "${COMP_WORDS[1]}" in',
    ...groups.flatMap(linesOf),
    '        esac',
    '      fi ;;',
    '  esac',
    // A word that is no flag may be the name of a file where a command takes one.
    '  if [ -z "$words" ]; then compopt -o default 2>/dev/null; return; fi',
    '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
    '}',
    `complete -F _${PROGRAM} ${PROGRAM}`,
  ].join('\n');
}

function linesOf({ name, own, members }: Group): readonly string[] {
  if (own !== undefined) return [`          ${name}) ${flagsOf(own)} ;;`];
  return [
    `          ${name})`,
    '            if [ "$COMP_CWORD" -eq 2 ]; then',
    `              words=${quoted(members.map((one) => one.name).join(' '))}`,
    '            else',
    '              case "${COMP_WORDS[2]}" in',
    ...members.map((one) => `                ${one.name}) ${flagsOf(one)} ;;`),
    '              esac',
    '            fi ;;',
  ];
}

function flagsOf({ flags }: Offer): string {
  return `[[ $current == -* ]] && words=${quoted(flags.map(({ name }) => `--${name}`).join(' '))}`;
}
