// SPDX-License-Identifier: Apache-2.0
import type { Flag } from '../cli/command.ts';
import { PROGRAM } from '../cli/help.ts';
import { type Group, isPath, type Offer, quoted, shortOf, summaryOf } from './words.ts';

/** The script that has zsh offer what `groups` are, with what each does. */
export function zshScript(groups: readonly Group[]): string {
  return [
    `#compdef ${PROGRAM}`,
    `_${PROGRAM}() {`,
    '  local -a offered',
    '  if (( CURRENT == 2 )); then',
    `    offered=(${groups.map((one) => described(one.name, summaryOf(one))).join(' ')})`,
    '    _describe command offered',
    '    return',
    '  fi',
    '  case "$words[2]" in',
    ...groups.flatMap(linesOf),
    '  esac',
    '}',
    // As a file of fpath, zsh calls what the file is named after; by `source`, it has to be told.
    `if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _${PROGRAM} "$@"; else compdef _${PROGRAM} ${PROGRAM}; fi`,
  ].join('\n');
}

function linesOf({ name, own, members }: Group): readonly string[] {
  if (own !== undefined) return [`    ${name}) ${argumentsOf(own)} ;;`];
  return [
    `    ${name})`,
    '      if (( CURRENT == 3 )); then',
    `        offered=(${members.map((one) => described(one.name, one.summary)).join(' ')})`,
    '        _describe command offered',
    '        return',
    '      fi',
    '      case "$words[3]" in',
    ...members.map((one) => `        ${one.name}) ${argumentsOf(one)} ;;`),
    '      esac ;;',
  ];
}

/** The words of the command are shifted away first: `_arguments` counts from the word behind them. */
function argumentsOf({ args, flags, words }: Offer): string {
  const values = args.flatMap((one) =>
    one.values === undefined ? [] : [`1:${one.name}:(${one.values.join(' ')})`],
  );
  const shift = `shift ${words - 1} words; (( CURRENT -= ${words - 1} ));`;
  return [
    shift,
    '_arguments',
    ...flags.flatMap(specsOf),
    ...[...values, '*:argument:_files'].map(quoted),
  ].join(' ');
}

function specsOf(flag: Flag): readonly string[] {
  const { name, what, value } = flag;
  const text = what.replaceAll(/[[\]\\:]/g, String.raw`\$&`);
  const rest = value === undefined ? '' : `:${value}:${valuesOf(flag)}`;
  const letter = shortOf(flag);
  // With = or a blank between the two.
  const long = value === undefined ? `--${name}` : `--${name}=`;
  return [long, ...(letter === undefined ? [] : [`-${letter}`])].map((one) =>
    quoted(`${one}[${text}]${rest}`),
  );
}

function valuesOf(flag: Flag): string {
  if (flag.values !== undefined) return `(${flag.values.join(' ')})`;
  return isPath(flag) ? '_files' : '';
}

function described(name: string, what: string): string {
  return quoted(`${name}:${what}`);
}
