// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Figure, keepsBar, toMarkdown } from './report.ts';

const table: Record<string, { figure: Partial<Figure>; want: boolean | undefined }> = {
  'no bar, no verdict': { figure: {}, want: undefined },
  'at the upper bar': { figure: { value: 5, bar: { atMost: 5 } }, want: true },
  'above the upper bar': { figure: { value: 5.01, bar: { atMost: 5 } }, want: false },
  'below the lower bar': { figure: { value: 0.69, bar: { atLeast: 0.7 } }, want: false },
  'nothing was measured': { figure: { value: Number.NaN, bar: { atMost: 5 } }, want: false },
};

for (const [name, { figure, want }] of Object.entries(table)) {
  test(`keepsBar: ${name}`, (t) => t.is(keepsBar({ name: 'x', value: 1, unit: 's', ...figure }), want));
}

test('a missed bar shows in the table', (t) => {
  const text = toMarkdown([{ name: 'failover', value: 20, unit: 's', bar: { atMost: 15 } }]);
  t.true(text.includes('| failover | 20.00 s | <= 15 s | MISSED |'));
});

test('a bar with two ends shows both', (t) => {
  const text = toMarkdown([
    { name: 'added', value: -0.2, unit: 'ms', bar: { atMost: 0.1, atLeast: -0.03 } },
    { name: 'processes', value: 1, unit: '', bar: { atMost: 1, atLeast: 1 } },
  ]);
  t.true(text.includes('| added | -0.20 ms | >= -0.03 ms, <= 0.1 ms | MISSED |'), text);
  t.true(text.includes('| processes | 1.00  | 1  | kept |'), text);
});
