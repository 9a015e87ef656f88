// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { COMMON_FLAGS } from '../cli/command.ts';
import { COMMANDS } from '../commands.ts';
import { openDesk } from '../testing/cli.ts';

const run = promisify(execFile);

async function scriptOf(t: ExecutionContext, shell: string): Promise<string> {
  const { code, out, err } = await (await openDesk(t)).nexusctl(`completion ${shell}`);
  t.deepEqual([code, err], [0, '']);
  return out;
}

/** What bash offers for the last of `words`: it runs the script itself. */
async function offered(script: string, words: readonly string[]): Promise<readonly string[]> {
  const play = [
    script,
    'COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))',
    '_nexusctl nexusctl',
    'printf "%s\\n" "${COMPREPLY[@]}"',
  ].join('\n');
  const { stdout } = await run('bash', ['-c', play, 'bash', ...words]);
  return stdout.split('\n').filter((one) => one !== '');
}

test('bash offers every command and every flag, by the table that help is made of', async (t) => {
  const script = await scriptOf(t, 'bash');
  const firsts = new Set(COMMANDS.map(({ path }) => path[0]));
  t.deepEqual(new Set(await offered(script, ['nexusctl', ''])), new Set([...firsts, '--help', '--version']));
  for (const { path, flags } of COMMANDS) {
    const found = await offered(script, ['nexusctl', ...path, '--']);
    const want = [...flags, ...COMMON_FLAGS].map(({ name }) => `--${name}`);
    t.deepEqual(found, want, path.join(' '));
    if (path.length === 1) continue;
    const [first = '', second = ''] = path;
    t.true((await offered(script, ['nexusctl', first, second.slice(0, 2)])).includes(second), second);
  }
});

const OFFERS: Readonly<Record<string, readonly [words: readonly string[], want: readonly string[]]>> = {
  'formats behind --output': [['pack', 'test', '--output', 'y'], ['yaml']],
  'formats behind -o': [
    ['verify', '-o', ''],
    ['table', 'json', 'yaml'],
  ],
  'nothing behind a flag with a word of its own': [['pack', 'diff', '--context', '--'], []],
  'nothing of another command': [['pack', 'capabilities', '--min'], []],
  'nothing for a command that there is not': [['pack', 'tset', '--'], []],
};

for (const [what, [words, want]] of Object.entries(OFFERS)) {
  test(`bash offers ${what}`, async (t) => {
    t.deepEqual(await offered(await scriptOf(t, 'bash'), ['nexusctl', ...words]), want);
  });
}

for (const shell of ['zsh', 'fish']) {
  test(`${shell} is told of every command and every flag, with what each does`, async (t) => {
    const script = await scriptOf(t, shell);
    for (const { path, flags, summary } of COMMANDS) {
      const escaped = summary.replaceAll("'", shell === 'zsh' ? String.raw`'\''` : String.raw`\'`);
      t.true(script.includes(escaped), summary);
      const own = script.split('\n').filter((line) => line.includes(path.at(-1) ?? ''));
      for (const { name } of [...flags, ...COMMON_FLAGS])
        t.true(
          own.some((line) => line.includes(shell === 'zsh' ? `'--${name}[` : ` -l ${name} `)),
          `${path.join(' ')} --${name}`,
        );
    }
    // An odd quote would leave the rest of the script in a text.
    const quotes =
      script.replaceAll(shell === 'zsh' ? String.raw`'\''` : String.raw`\'`, '').split("'").length - 1;
    t.is(quotes % 2, 0);
  });
}

test('a shell that is not known is refused with those that are', async (t) => {
  const { code, err } = await (await openDesk(t)).nexusctl('completion tcsh');
  t.is(code, 2);
  t.regex(err, /tcsh is no shell that is known; known are bash, zsh, fish/);
  t.is((await (await openDesk(t)).nexusctl('completion constructor')).code, 2);
});
