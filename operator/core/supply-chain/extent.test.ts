// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { processorMs } from '#hack/tools/processor-time';
import { type Extent, extentOf } from './extent.ts';

const cases: Readonly<Record<string, Extent>> = {
  '{}': { values: 2, depth: 1 },
  '{"a":[1,{}]}': { values: 5, depth: 3 },
  '["{[,", "\\"[", "\\\\", []]': { values: 6, depth: 2 },
  '{"a,b":1}': { values: 2, depth: 1 },
  '[[[': { values: 4, depth: 3 },
  '"no end [[[,,,': { values: 1, depth: 0 },
  '': { values: 1, depth: 0 },
};

for (const [text, want] of Object.entries(cases)) {
  test(`counted without being read: ${text}`, (t) => t.deepEqual(extentOf(Buffer.from(text)), want));
}

test('no more is counted than anybody asks for', (t) => {
  const bytes = Buffer.from(`[${'{},'.repeat(100_000)}0]`);
  t.is(extentOf(bytes, 10).values, 11);
  t.is(extentOf(bytes, 1e9).values, extentOf(bytes).values);
});

/** What a value comes to, counted when it has been read. */
function deepOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(deepOf));
}

function valuesOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, one) => sum + valuesOf(one), 1);
}

test('whatever the JSON, it has no more values than are counted, and just the depth', (t) => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), (text) => {
      const { values, depth } = extentOf(Buffer.from(text));
      const read: unknown = JSON.parse(text);
      t.is(depth, deepOf(read));
      t.true(values >= valuesOf(read), `${values} of ${valuesOf(read)}: ${text}`);
    }),
    { numRuns: 500 },
  );
});

test('texts end where they do, however long they are and whatever is escaped in them', (t) => {
  for (let length = 50; length < 80; length += 1) {
    for (const end of ['', '"', '\\', '\\"', '"\\', '\\\\', 'é"', ',[{']) {
      const text = 'x'.repeat(length) + end;
      const json = JSON.stringify([text, { [text]: [text] }]);
      t.deepEqual(extentOf(Buffer.from(json)), { values: 5, depth: 3 }, json);
    }
  }
});

test('counting takes time by the number of bytes, whatever they are', (t) => {
  for (const text of ['{},', '\\"', '"\\\\', '"\\"', '",', '[']) {
    const bytes = Buffer.alloc(4 << 20, text);
    const tookMs = processorMs(() => extentOf(bytes));
    t.true(tookMs < 1000, `${JSON.stringify(text)}: ${tookMs} ms`);
  }
});
