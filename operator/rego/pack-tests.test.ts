// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { sourceFiles } from './compile.ts';
import type { RunOpa } from './opa.ts';
import { testPack } from './pack-tests.ts';
import { packRequest, verifyTools } from './testing/verifying.ts';
import { verifyPack } from './verify-pack.ts';

const RULES = `package a

deny contains "no" if input.x
`;
const BESIDE = `${RULES}
test_denied if "no" in deny with input as {"x": true}
`;

async function tested(modules: Record<string, string>, change: (run: RunOpa) => RunOpa = (run) => run) {
  const { run, capabilities } = await verifyTools();
  return testPack(
    { files: sourceFiles(modules, undefined), regoVersion: 'V1' },
    { run: change(run), capabilities: await capabilities(), roots: [''], timeoutMs: 20_000 },
  );
}

/** Kills the calls that `isMeant`, as a machine that is busy does. */
function killing(isMeant: (args: readonly string[]) => boolean): (run: RunOpa) => RunOpa {
  return (run) => (args, options) => run(args, isMeant(args) ? { ...options, timeoutMs: 1 } : options);
}

const CALLS: Record<string, (args: readonly string[]) => boolean> = {
  'reads where tests are': ([command]) => command === 'parse',
  'runs them': ([command]) => command === 'test',
  'counts what they reach': (args) => args.includes('--coverage'),
};

for (const [what, isMeant] of Object.entries(CALLS)) {
  test(`who is killed while he ${what} has not said that there are none`, async (t) => {
    const outcome = await tested({ 'a.rego': BESIDE }, killing(isMeant));
    t.like(outcome, { kind: 'failed', reason: 'VerificationTimedOut' });
  });
}

test('a test below a name of its own is one, and is run', async (t) => {
  const outcome = await tested({
    'a.rego': `${RULES}\ncases.test_denied if "no" in deny with input as {}\n`,
  });
  t.like(outcome, { kind: 'failed', reason: 'TestsFailed' });
  t.regex(outcome.kind === 'failed' ? outcome.message : '', /1 of 1 tests fail: a\.cases\.test_denied/);
});

test('what only looks like a test is none', async (t) => {
  const text = `${RULES}\nhelp := \`\ntest_denied if {\n\`\n`;
  t.like(await tested({ 'a.rego': text }), { kind: 'passed', tests: 0 });
});

test('every module is read once, wherever its tests are', async (t) => {
  const tools = await verifyTools();
  const read: string[] = [];
  const run: RunOpa = (args, options) => {
    if (args[0] === 'parse') read.push(args.at(-1) ?? '');
    return tools.run(args, options);
  };
  const modules = {
    'a.rego': BESIDE,
    'b.rego': 'package b\n\ntest_b if true\n',
    'c.rego': 'package c\n\nx := 1\n',
    'c_test.rego': 'package c_test\n\ntest_c if data.c.x == 1\n',
  };
  const outcome = await verifyPack(packRequest({ source: { inline: { modules } } }), { ...tools, run });
  t.like(outcome, { kind: 'verified', pack: { tests: 3 } });
  t.deepEqual(read.toSorted(), ['a.rego', 'b.rego', 'c.rego']);
});
