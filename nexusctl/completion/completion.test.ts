// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { COMMON_FLAGS } from '../cli/command.ts';
import { COMMANDS } from '../commands.ts';
import { openDesk } from '../testing/cli.ts';
import { fishScript } from './fish.ts';
import type { Group } from './words.ts';
import { zshScript } from './zsh.ts';

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
  'formats behind --output=': [
    ['pack', 'test', '--output', '='],
    ['table', 'json', 'yaml'],
  ],
  'formats that begin so behind --output=': [['pack', 'test', '--output', '=', 'y'], ['yaml']],
  'nothing behind another flag and =': [['pack', 'diff', '--context', '=', 'y'], []],
  'shells behind completion': [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  'one shell at a time': [['completion', 'bash', ''], []],
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
          own.some((line) =>
            (shell === 'zsh' ? [`'--${name}[`, `'--${name}=[`] : [` -l ${name} `]).some((one) =>
              line.includes(one),
            ),
          ),
          `${path.join(' ')} --${name}`,
        );
    }
    // An odd quote would leave the rest of the script in a text.
    const quotes =
      script.replaceAll(shell === 'zsh' ? String.raw`'\''` : String.raw`\'`, '').split("'").length - 1;
    t.is(quotes % 2, 0);
  });
}

const FLAGS = [
  { name: 'from', value: 'FILE', what: "what's [old]: a file" },
  { name: 'output', value: 'FORMAT', what: 'one of two', values: ['x', 'y'] },
  { name: 'help', what: 'says more' },
];
/** A command of two words, and one with an argument that can be two things. */
const SMALL: readonly Group[] = [
  {
    name: 'pack',
    own: undefined,
    members: [
      { name: 'in', summary: "puts it's own in", args: [], flags: FLAGS, words: 3 },
      { name: 'out', summary: 'takes out', args: [], flags: [{ name: 'help', what: 'says more' }], words: 3 },
    ],
  },
  {
    name: 'to',
    own: {
      name: 'to',
      summary: 'goes there',
      args: [{ name: 'WHERE', what: 'where', values: ['here', 'there'] }],
      flags: [{ name: 'name', value: 'NAME', what: 'a name' }],
      words: 2,
    },
    members: [],
  },
];

const ZSH = String.raw`#compdef nexusctl
_nexusctl() {
  local -a offered
  if (( CURRENT == 2 )); then
    offered=('pack:in, out' 'to:goes there')
    _describe command offered
    return
  fi
  case "$words[2]" in
    pack)
      if (( CURRENT == 3 )); then
        offered=('in:puts it'\''s own in' 'out:takes out')
        _describe command offered
        return
      fi
      case "$words[3]" in
        in) shift 2 words; (( CURRENT -= 2 )); _arguments '--from=[what'\''s \[old\]\: a file]:FILE:_files' '--output=[one of two]:FORMAT:(x y)' '-o[one of two]:FORMAT:(x y)' '--help[says more]' '-h[says more]' '*:argument:_files' ;;
        out) shift 2 words; (( CURRENT -= 2 )); _arguments '--help[says more]' '-h[says more]' '*:argument:_files' ;;
      esac ;;
    to) shift 1 words; (( CURRENT -= 1 )); _arguments '--name=[a name]:NAME:' '1:WHERE:(here there)' '*:argument:_files' ;;
  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _nexusctl "$@"; else compdef _nexusctl nexusctl; fi`;
const FISH = String.raw`complete -c nexusctl -n __fish_use_subcommand -f -a pack -d 'in, out'
complete -c nexusctl -n '__fish_seen_subcommand_from pack; and not __fish_seen_subcommand_from in out' -f -a in -d 'puts it\'s own in'
complete -c nexusctl -n '__fish_seen_subcommand_from pack; and __fish_seen_subcommand_from in' -l from -r -F -d 'what\'s [old]: a file'
complete -c nexusctl -n '__fish_seen_subcommand_from pack; and __fish_seen_subcommand_from in' -l output -s o -x -a 'x y' -d 'one of two'
complete -c nexusctl -n '__fish_seen_subcommand_from pack; and __fish_seen_subcommand_from in' -l help -s h -d 'says more'
complete -c nexusctl -n '__fish_seen_subcommand_from pack; and not __fish_seen_subcommand_from in out' -f -a out -d 'takes out'
complete -c nexusctl -n '__fish_seen_subcommand_from pack; and __fish_seen_subcommand_from out' -l help -s h -d 'says more'
complete -c nexusctl -n __fish_use_subcommand -f -a to -d 'goes there'
complete -c nexusctl -n '__fish_seen_subcommand_from to' -f -a here
complete -c nexusctl -n '__fish_seen_subcommand_from to' -f -a there
complete -c nexusctl -n '__fish_seen_subcommand_from to' -l name -x -d 'a name'`;

// The shells themselves have completed by scripts of this form (zsh 5.9, fish 3.6): a change of it is to be tried in them again.
const SCRIPTS: Readonly<Record<string, readonly [script: string, want: string]>> = {
  zsh: [zshScript(SMALL), ZSH],
  fish: [fishScript(SMALL), FISH],
};

for (const [shell, [script, want]] of Object.entries(SCRIPTS)) {
  test(`${shell} is told what stands behind what`, (t) => {
    t.deepEqual(script.split('\n'), want.split('\n'));
  });
}

test('a shell that is not known is refused with those that are', async (t) => {
  const { code, err } = await (await openDesk(t)).nexusctl('completion tcsh');
  t.is(code, 2);
  t.regex(err, /tcsh is no shell that is known; known are bash, zsh, fish/);
  t.is((await (await openDesk(t)).nexusctl('completion constructor')).code, 2);
});
