// SPDX-License-Identifier: Apache-2.0
import type { Flag } from '../cli/command.ts';
import { PROGRAM } from '../cli/help.ts';
import { FORMATS, type Group, isPath, type Offer, quoted, summaryOf } from './words.ts';

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

function argumentsOf({ flags }: Offer): string {
  return ['_arguments', ...flags.flatMap(specsOf), quoted('*:argument:_files')].join(' ');
}

function specsOf(flag: Flag): readonly string[] {
  const { name, what, value } = flag;
  const text = what.replaceAll(/[[\]\\:]/g, String.raw`\$&`);
  const rest = value === undefined ? '' : `:${value}:${valuesOf(flag)}`;
  const short = name === 'output' ? ['-o'] : name === 'help' ? ['-h'] : [];
  return [`--${name}`, ...short].map((one) => quoted(`${one}[${text}]${rest}`));
}

function valuesOf(flag: Flag): string {
  if (flag.name === 'output') return `(${FORMATS.join(' ')})`;
  return isPath(flag) ? '_files' : '';
}

function described(name: string, what: string): string {
  return quoted(`${name}:${what}`);
}
