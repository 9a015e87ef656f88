// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { LEFT_OUT } from '../policy/builtins/left-out.ts';
import { type Compilation, compilePack, SOURCE_LIMITS, sourceFiles } from './compile.ts';
import { pinnedOpa } from './testing/opa.ts';

async function compile(
  modules: Readonly<Record<string, string>>,
  more: { readonly data?: Readonly<Record<string, unknown>>; readonly regoVersion?: 'V0' | 'V1' } = {},
): Promise<Compilation> {
  const { data, regoVersion = 'V1' } = more;
  return compilePack({ files: sourceFiles(modules, data), regoVersion }, { run: await pinnedOpa() });
}

test('a pack becomes one module with one entry point', async (t) => {
  const made = await compile(
    {
      'abac/tools.rego': 'package abac.tools\nallow if data.tools[input.tool]',
      'a_test.rego': 'not even Rego',
    },
    { data: { tools: { search: true } } },
  );
  if (made.kind === 'refused') throw new Error(JSON.stringify(made));
  t.is(Buffer.from(made.pack.wasm.subarray(0, 4)).toString('latin1'), '\0asm');
  t.deepEqual(JSON.parse(Buffer.from(made.pack.data ?? []).toString()), { tools: { search: true } });
  t.deepEqual([made.pack.entrypoints, made.pack.hasMutate], [['nexusos/main/decision'], false]);
  t.deepEqual(made.pack.answering, { allow: ['data["abac"]["tools"]'] });
});

test('the same source makes the same bytes', async (t) => {
  const once = await compile({
    'a.rego': 'package a\ndeny contains "x" if input.x',
    'b.rego': 'package b\nwarn contains "y"',
  });
  const twice = await compile({
    'b.rego': 'package b\nwarn contains "y"',
    'a.rego': 'package a\ndeny contains "x" if input.x',
  });
  if (once.kind === 'refused' || twice.kind === 'refused') throw new Error('refused');
  t.deepEqual(Buffer.from(once.pack.wasm), Buffer.from(twice.pack.wasm));
});

test('Rego from before 1.0 compiles if it says so, and only then', async (t) => {
  const old = { 'a.rego': 'package a\ndeny[msg] { msg := input.x }' };
  t.is((await compile(old, { regoVersion: 'V0' })).kind, 'ok');
  const refusal = await compile(old);
  t.like(refusal, { kind: 'refused', reason: 'CompileFailed' });
});

test('what changes or redacts is told, since it is asked when things can still be changed', async (t) => {
  for (const text of [
    'package a\nmutate contains {"path": "/a", "value": 1}',
    'package dlp\ndlp contains input.x',
  ]) {
    t.like(await compile({ 'a.rego': text }), { kind: 'ok', pack: { hasMutate: true } });
  }
});

const REFUSED: Readonly<
  Record<
    string,
    { readonly text: string; readonly reason: string; readonly line?: number; readonly says: RegExp }
  >
> = {
  'no end': { text: 'package a\ndeny if {', reason: 'CompileFailed', line: 2, says: /unexpected eof/ },
  'a variable from nowhere': {
    text: 'package a\n\ndeny contains x if { y }',
    reason: 'CompileFailed',
    line: 3,
    says: /var x is unsafe/,
  },
  'a function that is not there': {
    text: 'package a\ndeny := f(1)',
    reason: 'CompileFailed',
    line: 2,
    says: /undefined function f/,
  },
  'a type that cannot be': {
    text: 'package a\ndeny := 1 + "x"',
    reason: 'CompileFailed',
    line: 2,
    says: /plus: invalid argument/,
  },
  'our package': {
    text: 'package nexusos.main\ndecision := {}',
    reason: 'CompileFailed',
    line: 1,
    says: /packages of that name are ours/,
  },
  'nothing to ask': {
    text: 'package a\nx := 1\ndeny(y) := y',
    reason: 'NoRules',
    says: /no package has a rule that is asked for/,
  },
  'rules that are in the wrong package': {
    text: 'package a\nallow := true',
    reason: 'NoRules',
    says: /allow below package abac/,
  },
};

for (const [name, { text, reason, line, says }] of Object.entries(REFUSED)) {
  test(`refused with file and line: ${name}`, async (t) => {
    const made = await compile({ 'rules/a.rego': text });
    if (made.kind === 'ok') throw new Error('it compiled');
    t.is<string, string>(made.reason, reason);
    t.regex(made.problems[0]?.message ?? '', says);
    t.is(made.problems[0]?.line, line);
    if (line !== undefined) t.is(made.problems[0]?.file, 'rules/a.rego');
  });
}

test('a builtin that is not among the capabilities is refused by its name', async (t) => {
  const run = await pinnedOpa();
  const { stdout } = await run(['capabilities', '--current'], { cwd: '/', timeoutMs: 10_000 });
  const all = JSON.parse(stdout) as { readonly builtins: readonly { readonly name: string }[] };
  const capabilities = JSON.stringify({
    ...all,
    builtins: all.builtins.filter(({ name }) => name !== 'http.send'),
  });
  const files = sourceFiles(
    { 'a.rego': 'package a\ndeny contains r if r := http.send({"method": "get", "url": "http://x"}).status' },
    undefined,
  );
  const made = await compilePack({ files, regoVersion: 'V1' }, { run, capabilities });
  t.like(made, {
    kind: 'refused',
    problems: [
      { message: `undefined function http.send: packs have not http.send, as it ${LEFT_OUT['http.send']}` },
    ],
  });
});

test('external data is refused with what there is instead', async (t) => {
  const files = sourceFiles(
    { 'a.rego': 'package a\ndeny contains r if r := external_data({"provider": "p", "keys": ["k"]})' },
    undefined,
  );
  const made = await compilePack({ files, regoVersion: 'V1' }, { run: await pinnedOpa() });
  const message = made.kind === 'refused' ? (made.problems[0]?.message ?? '') : '';
  t.regex(message, /undefined function external_data: .* asks its Providers; .*spec\.facts.*spec\.inventory/);
});

function neverRun(): Promise<never> {
  return Promise.reject(new Error('it was run'));
}

function refusal(files: ReadonlyMap<string, Uint8Array>): Promise<Compilation> {
  return compilePack({ files, regoVersion: 'V1' }, { run: neverRun });
}

test('too large, and names that lead elsewhere, are refused before anything is run', async (t) => {
  const empty = new Uint8Array();
  t.like(await refusal(new Map([['a.rego', new Uint8Array(SOURCE_LIMITS.bytes + 1)]])), {
    reason: 'TooLarge',
  });
  const many = Array.from(
    { length: SOURCE_LIMITS.files + 1 },
    (_, index) => [`${index}.rego`, empty] as const,
  );
  t.like(await refusal(new Map(many)), { reason: 'TooLarge' });
  for (const path of [
    '../a.rego',
    '/a.rego',
    'a/../../b.rego',
    'a b.rego',
    '.manifest',
    'x/.signatures.json',
    '-o.rego\n',
    'a//b.rego',
  ])
    t.like(await refusal(new Map([[path, empty]])), { reason: 'InvalidSource' }, path);
});

test('a compiler that takes too long is killed, and that is said', async (t) => {
  const made = await compilePack(
    { files: sourceFiles({ 'a.rego': 'package a\ndeny contains "x"' }, undefined), regoVersion: 'V1' },
    { run: await pinnedOpa(), timeoutMs: 1 },
  );
  t.like(made, { kind: 'refused', reason: 'TimedOut' });
});
