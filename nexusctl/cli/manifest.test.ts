// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { parse, stringify } from 'yaml';
import { manifestText } from './manifest.ts';
import { commentLine } from './output.ts';

const BREAKS = ['\u0085', '\u2028', '\u2029'];

for (const end of BREAKS) {
  test(`what ends a line for old YAML alone is written by its number: ${JSON.stringify(end.codePointAt(0))}`, (t) => {
    const value = {
      kind: 'PolicyPack',
      text: `package a\n\n# b${end}kind: Other\n`,
      [`a${end}b`]: [`c${end}---${end}`],
    };
    const text = manifestText(value);
    t.false(text.includes(end));
    t.deepEqual(parse(text), value);
  });
}

test('all else is written as ever', (t) => {
  const value = {
    text: 'package a\n\n# b\n',
    long: 'word '.repeat(99),
    list: [1, true, null, 'yes', '"'],
    none: undefined,
  };
  t.is(manifestText(value), stringify(value, { lineWidth: 0 }));
});

test('a comment is one line, of bounded length, without what a terminal obeys', (t) => {
  t.is(commentLine('a\r\n---\n\u001b[2Jb\u202ec'), '# a --- [2Jb c\n');
  const long = commentLine('😀'.repeat(5000));
  t.is(Array.from(long).length, 2 + 2000 + 1);
  t.true(long.isWellFormed());
});
