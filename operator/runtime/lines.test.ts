// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { LineSplitter, LineTooLongError } from './lines.ts';

test('lines come out whole, however the bytes were cut', (t) => {
  const line = fc
    .string({ unit: 'grapheme' })
    .filter((text) => text !== '' && !/[\n\r\u{d800}-\u{dfff}]/u.test(text));
  fc.assert(
    fc.property(
      fc.array(line),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      (lines, sizes) => {
        const bytes = Buffer.from(lines.map((one) => `${one}\n`).join(''), 'utf8');
        const splitter = new LineSplitter(1_000_000);
        const got: string[] = [];
        for (let at = 0, i = 0; at < bytes.length; i += 1) {
          const size = sizes[i % sizes.length] ?? 1;
          got.push(...splitter.push(bytes.subarray(at, at + size)));
          at += size;
        }
        t.deepEqual(got, lines);
      },
    ),
  );
});

test('what has no newline is not a line, and empty lines are none', (t) => {
  const splitter = new LineSplitter(100);
  t.deepEqual(splitter.push(Buffer.from('\n\na\n\nhalf')), ['a']);
  t.deepEqual(splitter.push(Buffer.from(' more\n')), ['half more']);
});

test('a line beyond the limit is an error, in one piece or in many', (t) => {
  t.throws(() => new LineSplitter(3).push(Buffer.from('abcd\n')), { instanceOf: LineTooLongError });
  const splitter = new LineSplitter(3);
  splitter.push(Buffer.from('ab'));
  t.throws(() => splitter.push(Buffer.from('cd')), { instanceOf: LineTooLongError });
  t.deepEqual(new LineSplitter(3).push(Buffer.from('abc\n')), ['abc']);
});
