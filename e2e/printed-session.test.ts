// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { fitsPrinted, printedSteps } from './printed-session.ts';

test('commands are paired with the output that follows them', (t) => {
  const page = '# x\n```sh\na\nb\n```\ntext\n```text\nout\n```\n```console\n$ no\n```\n```sh\nc\n```\n';
  t.deepEqual(printedSteps(page), [
    { commands: 'a\nb', want: ['out'], line: 2 },
    { commands: 'c', want: undefined, line: 13 },
  ]);
});

const table: Record<string, { line: string; wanted: string; want: boolean }> = {
  'blanks count as one': { line: 'a    b ', wanted: 'a b', want: true },
  'an ellipsis stands for anything': { line: 'a b 14s', wanted: 'a b …', want: true },
  'a dot is a dot': { line: 'axb', wanted: 'a.b', want: false },
  'more than was wanted': { line: 'a b c', wanted: 'a b', want: false },
};

for (const [name, { line, wanted, want }] of Object.entries(table)) {
  test(`fitsPrinted: ${name}`, (t) => t.is(fitsPrinted(line, wanted), want));
}
