// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { remembering } from './remember.ts';

/** Remembers three, and tells which were looked for. */
function three() {
  const asked: string[] = [];
  const lengthOf = remembering(3, (text) => {
    asked.push(text);
    return text === '' ? undefined : text.length;
  });
  return { asked, lengthOf };
}

test('what was found is not looked for again, nor that nothing was', (t) => {
  const { asked, lengthOf } = three();
  t.deepEqual(
    [lengthOf('a'), lengthOf('a'), lengthOf(''), lengthOf(''), lengthOf('')],
    [1, 1, undefined, undefined, undefined],
  );
  t.deepEqual(asked, ['a', '']);
});

test('as many as may be are remembered, and with one more no others', (t) => {
  const { asked, lengthOf } = three();
  for (const text of ['a', 'bb', 'ccc', 'a', 'bb', 'ccc']) lengthOf(text);
  t.deepEqual(asked.splice(0), ['a', 'bb', 'ccc']);
  t.is(lengthOf('dddd'), 4);
  t.is(lengthOf('dddd'), 4);
  t.deepEqual(asked.splice(0), ['dddd']);
  t.deepEqual([lengthOf('a'), lengthOf('bb')], [1, 2]);
  t.deepEqual(asked, ['a', 'bb']);
});
