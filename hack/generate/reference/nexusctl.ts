// SPDX-License-Identifier: Apache-2.0
import { COMMON_FLAGS, type Command, EXIT, type Flag } from '#nexusctl/cli/command';
import { flagText, PROGRAM, usageOf } from '#nexusctl/cli/help';
import { COMMANDS } from '#nexusctl/commands';
import type { GeneratedFile } from '../file.ts';
import { code, pageHead, table } from './markdown.ts';

const CODES: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done, and the answer is yes',
  no: 'done, and the answer is no: tests fail, something is refused, verdicts differ',
  usage: 'not done: what was given cannot be used',
  unavailable: 'not done: something that is needed is not there, such as the compiler or the cluster',
};

/** The page of every command of the command line. */
export function nexusctlPage(): GeneratedFile {
  const codes = Object.entries(EXIT).map(([name, number]) => [
    String(number),
    CODES[name as keyof typeof EXIT],
  ]);
  const text = [
    pageHead(PROGRAM, 'nexusctl/commands.ts'),
    `\`npm run build\` makes it: one file, \`dist/${PROGRAM}.mjs\`, that runs on Node 20 or newer, wherever it is put. A link to it of the name \`kubectl-nexus\` in \`PATH\` is a plugin: \`kubectl nexus pack test\`. From the repository: \`npm run ${PROGRAM} -- pack test FOLDER\`.\n`,
    '## Exit codes\n',
    table(['code', 'means'], codes),
    '## Flags of all commands\n',
    flagTable(COMMON_FLAGS),
    ...COMMANDS.map(commandText),
  ].join('\n');
  return { path: `docs/reference/${PROGRAM}.md`, text };
}

function commandText(command: Command): string {
  const { path, summary, about, args, flags, examples } = command;
  const given = args.map(({ name, what }) => [code(name), what]);
  return [
    `## ${path.join(' ')}\n`,
    `${code(usageOf(command))} ${summary}. ${about}\n`,
    ...(given.length === 0 ? [] : [table(['argument', 'what it is'], given)]),
    ...(flags.length === 0 ? [] : [flagTable(flags)]),
    ['```sh', ...examples.map((one) => `${PROGRAM} ${one}`), '```\n'].join('\n'),
  ].join('\n');
}

function flagTable(flags: readonly Flag[]): string {
  const rows = flags.map((flag) => [code(flagText(flag)), code(flag.default ?? ''), flag.what]);
  return table(['flag', 'default', 'what it does'], rows);
}
