// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { readArguments, selectFiles } from './arguments.ts';
import { emptyTally, failureText, readTapLine } from './tap.ts';

const LINES: Readonly<Record<string, { line: string; shown: string | undefined; want: readonly number[] }>> =
  {
    'a test that passed': { line: 'ok 1 - a › b', shown: '✔ a › b', want: [1, 0, 0] },
    'a test that failed': { line: 'not ok 2 - a', shown: '✘ a', want: [0, 1, 0] },
    'a test that is skipped': { line: 'ok 3 - a # SKIP', shown: '- a (skip)', want: [0, 0, 1] },
    'a test that is only planned': { line: 'not ok 4 - a # TODO', shown: '- a (todo)', want: [0, 0, 1] },
    'a title with a number sign': { line: 'ok 5 - issue # 3', shown: '✔ issue # 3', want: [1, 0, 0] },
    'a detail of a failure': { line: '    at: x.ts:3', shown: '    at: x.ts:3', want: [0, 0, 0] },
    'a result within a detail': { line: '    ok 1 - no', shown: '    ok 1 - no', want: [0, 0, 0] },
    'the plan': { line: '1..4', shown: undefined, want: [0, 0, 0] },
    'the sum of TAP itself': { line: '# tests 4', shown: undefined, want: [0, 0, 0] },
  };

for (const [title, { line, shown, want }] of Object.entries(LINES)) {
  test(`TAP: ${title}`, (t) => {
    const tally = emptyTally();
    t.is(readTapLine(line, tally), shown);
    t.deepEqual([tally.passed, tally.failed, tally.skipped], [...want]);
    t.is(tally.failures.length, tally.failed);
  });
}

test('a failure carries its own details to the end of the log, and not without end', (t) => {
  const tally = emptyTally();
  const details = Array.from({ length: 50 }, (_, i) => `    line ${i}`);
  for (const line of ['not ok 1 - a', '  ---', ...details, '  ...', 'ok 2 - b', '    of b', '# a hook'])
    readTapLine(line, tally);
  const lines = failureText(tally).split('\n');
  t.is(lines[0], '  a');
  t.true(lines.includes('      line 0') && !lines.some((line) => line.includes('of b')));
  t.is(lines.length, 21);
});

test('options of ava are told from paths', (t) => {
  t.deepEqual(readArguments(['-m', '*GPU*', 'e2e', '--fail-fast', 'a.test.ts']), {
    paths: ['e2e', 'a.test.ts'],
    options: ['-m', '*GPU*', '--fail-fast'],
    byTitle: true,
  });
  t.false(readArguments(['a.test.ts']).byTitle);
  t.true(readArguments(['--match=x']).byTitle);
});

test('paths name files and folders, with lines', (t) => {
  const all = ['e2e/a.e2e.test.ts', 'e2e/b.e2e.test.ts', 'hack/c.test.ts'];
  t.deepEqual(selectFiles(all, []), all);
  t.deepEqual(selectFiles(all, ['e2e/']), all.slice(0, 2));
  t.deepEqual(selectFiles(all, ['./hack/c.test.ts:4,9', 'hack/c.test.ts:4,9']), ['hack/c.test.ts:4,9']);
  t.throws(() => selectFiles(all, ['hack/d.test.ts']), {
    message: /no test file is, or is under, hack\/d\.test\.ts/,
  });
  t.throws(() => selectFiles(all, ['e2']), { message: /no test file/ }, 'half a name of a folder is none');
});
