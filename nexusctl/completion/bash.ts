// SPDX-License-Identifier: Apache-2.0
import type { Flag } from '../cli/command.ts';
import { PROGRAM } from '../cli/help.ts';
import { type Group, isPath, type Offer, quoted, shortOf } from './words.ts';

/** The script that has bash offer what `groups` are. It needs bash alone. */
export function bashScript(groups: readonly Group[]): string {
  const offers = groups.flatMap(({ own, members }) => [...(own === undefined ? [] : [own]), ...members]);
  const flags = offers.flatMap((one) => one.flags.filter(({ value }) => value !== undefined));
  const fixed = flags.filter(({ values }) => values !== undefined);
  const others = flags.filter((one) => one.values === undefined && !isPath(one));
  return [
    `_${PROGRAM}() {`,
    '  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" words=""',
    '  COMPREPLY=()',
    // To bash, --output=y is three words.
    '  if [ "$current" = "=" ]; then current=""; elif [ "$previous" = "=" ]; then previous="${COMP_WORDS[COMP_CWORD-2]}"; fi',
    '  case "$previous" in',
    ...new Set(fixed.map((one) => `    ${namesOf([one])}) words=${quoted((one.values ?? []).join(' '))} ;;`)),
    ...behind(flags.filter(isPath), 'compopt -o default 2>/dev/null; return'),
    ...behind(others, 'return'),
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

function behind(flags: readonly Flag[], then: string): readonly string[] {
  return flags.length === 0 ? [] : [`    ${namesOf(flags)}) ${then} ;;`];
}

/** As they stand before their values: `-o|--output`. */
function namesOf(flags: readonly Flag[]): string {
  const names = flags.flatMap((one) => {
    const letter = shortOf(one);
    return [...(letter === undefined ? [] : [`-${letter}`]), `--${one.name}`];
  });
  return [...new Set(names)].join('|');
}

function linesOf({ name, own, members }: Group): readonly string[] {
  if (own !== undefined) return [`          ${name}) ${wordsOf(own)} ;;`];
  return [
    `          ${name})`,
    '            if [ "$COMP_CWORD" -eq 2 ]; then',
    `              words=${quoted(members.map((one) => one.name).join(' '))}`,
    '            else',
    '              case "${COMP_WORDS[2]}" in',
    ...members.map((one) => `                ${one.name}) ${wordsOf(one)} ;;`),
    '              esac',
    '            fi ;;',
  ];
}

function wordsOf({ args: [first], flags, words }: Offer): string {
  const own = `[[ $current == -* ]] && words=${quoted(flags.map(({ name }) => `--${name}`).join(' '))}`;
  if (first?.values === undefined) return own;
  return `${own} || { [ "$COMP_CWORD" -eq ${words} ] && words=${quoted(first.values.join(' '))}; }`;
}
