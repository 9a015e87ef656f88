// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { jsonLines } from './supervisor-protocol.ts';

const streams = {
  'one value': { chunks: ['{"a":1}\n'], want: [{ a: 1 }] },
  'several values at once': { chunks: ['1\n2\n3\n'], want: [1, 2, 3] },
  'a value in pieces': { chunks: ['{"a', '":', '1}', '\n'], want: [{ a: 1 }] },
  'a piece of the next value': { chunks: ['1\n{"b"', ':2}\n'], want: [1, { b: 2 }] },
  'a value without its end is not told': { chunks: ['1\n2'], want: [1] },
};

for (const [title, { chunks, want }] of Object.entries(streams)) {
  test(title, (t) => {
    const got: unknown[] = [];
    const take = jsonLines((value) => got.push(value));
    for (const chunk of chunks) {
      take(chunk);
    }
    t.deepEqual(got, want);
  });
}
