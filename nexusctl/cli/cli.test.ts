// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { COMMANDS } from '../commands.ts';
import { openDesk } from '../testing/cli.ts';
import { columns, printable } from './output.ts';

const WRONG: Readonly<Record<string, readonly [string, RegExp]>> = {
  'no such command': [
    'pack tset',
    /^nexusctl: there is no command pack tset; there are pack init, pack test/,
  ],
  'no such group': ['bundle', /^nexusctl: there is no command bundle; there are pack init/],
  'a flag of no command': ['--loud', /^nexusctl: there is no command --loud; there are pack init, pack test/],
  'a flag that it has not': [
    'pack test x --fix',
    /Unknown option '--fix'\n {2}it takes --output, --help, --min-coverage/,
  ],
  'a flag without its value': ['pack test x --opa', /'--opa <value>' argument missing/],
  'too few arguments': ['pack test', /^nexusctl: pack test takes FOLDER; 0 given/],
  'too many arguments': ['pack test a b', /takes FOLDER; 2 given/],
  'a name that no pack may have': [
    'pack convert x Out_Pack',
    /^nexusctl: Out_Pack is no name of a pack: at most/,
  ],
  'an output that does not exist': [
    'pack capabilities -o xml',
    /--output is xml; it can be table, json or yaml/,
  ],
};

for (const [name, [words, says]] of Object.entries(WRONG)) {
  test(`refused with what would pass: ${name}`, async (t) => {
    const { code, err, out } = await (await openDesk(t)).nexusctl(words);
    t.deepEqual([code, out], [2, '']);
    t.regex(err, says);
  });
}

test('help: of all, of a group, and of one command', async (t) => {
  const { nexusctl } = await openDesk(t);
  for (const words of ['--help', 'help', 'pack', 'help pack']) {
    const { code, out } = await nexusctl(words);
    t.is(code, 0);
    const group = words === 'pack' || words === 'help pack' ? 'pack' : undefined;
    for (const { path } of COMMANDS)
      t.is(
        out.includes(`  ${path.join(' ')} `),
        [undefined, path[0]].includes(group),
        `${words}: ${path.join(' ')}`,
      );
  }
  for (const words of ['pack diff --help', 'help pack diff', 'pack diff -h']) {
    const { out } = await nexusctl(words);
    t.regex(out, /^Usage: nexusctl pack diff NEW \[flags\]\n/);
    t.regex(out, /--against FOLDER {2,}manifests to judge/);
  }
});

test('which version it is, however it is asked', async (t) => {
  const { nexusctl } = await openDesk(t);
  for (const words of ['version', '--version'])
    t.deepEqual(await nexusctl(words), { code: 0, out: 'nexusctl from source', err: '' });
  t.deepEqual(JSON.parse((await nexusctl('--version -o json')).out), { version: 'from source' });
});

test('what is said can be read by programs', async (t) => {
  const { nexusctl } = await openDesk(t);
  const json = JSON.parse((await nexusctl('pack capabilities -o json')).out) as readonly string[];
  t.true(json.includes('sprintf'));
  t.false(json.includes('http.send'));
  const yaml = (await nexusctl('pack capabilities --output yaml')).out;
  t.deepEqual(yaml.split('\n').length, json.length);
});

test('the compiler is asked for in plain words where it is not there', async (t) => {
  const desk = await openDesk(t, { NEXUSCTL_OPA: 'nowhere/opa' });
  await desk.nexusctl('pack init tags');
  const { code, err } = await desk.nexusctl('pack test tags');
  t.is(code, 3);
  t.regex(err, /the compiler of Rego is needed, and nowhere\/opa is no program: install opa 1.x/);
});

test('columns are as wide as what is in them, and nothing steers a terminal', (t) => {
  t.deepEqual(
    columns([
      ['A', 'LONG', 'C'],
      ['aaa', 'b', 'c'],
    ]),
    ['A    LONG  C', 'aaa  b     c'],
  );
  t.is(printable('red \u001b[31m\nand \u202eback'), 'red  [31m and  back');
});

test('every command says what it does, and has an example', (t) => {
  for (const { path, summary, about, examples, flags } of COMMANDS) {
    const name = path.join(' ');
    t.regex(summary, /^[a-z].*[^.]$/, name);
    t.true(about.length > 0, name);
    t.true(examples.length > 0 && examples.every((one) => one.includes(name)), name);
    t.true(
      flags.every((one) => one.what !== ''),
      name,
    );
  }
});
