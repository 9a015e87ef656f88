// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { readYaml } from './yaml.ts';

test('a text in quotes may go on without being indented, as kubectl takes it', (t) => {
  const text = 'a:\n  b:\n    said: "one\n    two\n    three"\n    next: \'four\n    five\'\n  c: 1\n';
  t.deepEqual(readYaml(text), {
    kind: 'ok',
    values: [{ a: { b: { said: 'one two three', next: 'four five' }, c: 1 } }],
  });
});

test('what has no end is still refused, by its line', (t) => {
  const read = readYaml('a:\n  b: "one\n  two\n');
  t.regex(read.kind === 'refused' ? read.message : '', /Missing closing "quote at line \d/);
});

test('several documents, and none', (t) => {
  t.deepEqual(readYaml('a: 1\n---\nb: 2\n'), { kind: 'ok', values: [{ a: 1 }, { b: 2 }] });
  t.deepEqual(readYaml(''), { kind: 'ok', values: [] });
});

test('aliases do not make much of little', (t) => {
  const levels = Array.from(
    { length: 12 },
    (_, index) => `l${index + 1}: &l${index + 1} [${Array(9).fill(`*l${index}`).join(', ')}]`,
  );
  const read = readYaml(['l0: &l0 [x]', ...levels].join('\n'));
  t.regex(read.kind === 'refused' ? read.message : '', /alias/i);
});
