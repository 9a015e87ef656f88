// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type GrowthPoint, ratiosOf, toBars, toTable, totalsUpTo } from './growth-table.ts';
import { keepsBar } from './report.ts';

const totals: Record<string, { largest: number; want: number[] }> = {
  'the sizes of the design': { largest: 20_000, want: [1000, 2000, 5000, 10_000, 20_000] },
  'the same in small': { largest: 200, want: [10, 20, 50, 100, 200] },
  'none twice, and none of nothing': { largest: 4, want: [1, 2, 4] },
};

for (const [name, { largest, want }] of Object.entries(totals)) {
  test(`totalsUpTo: ${name}`, (t) => t.deepEqual([...totalsUpTo(largest)], want));
}

function point(total: number, operator: number, more: Partial<GrowthPoint> = {}): GrowthPoint {
  const spent = new Map([
    ['operator', operator],
    ['etcd', 2],
  ]);
  return { total, runs: total / 2, seconds: total / 100, spent, writes: 6, memory: 150, ...more };
}

const ratios: Record<string, { last: GrowthPoint; want: { value: number; kept: boolean } }> = {
  'what costs the same keeps the bar': { last: point(20, 4), want: { value: 1, kept: true } },
  'at the bar': { last: point(20, 5), want: { value: 1.25, kept: true } },
  'above the bar': { last: point(20, 6), want: { value: 1.5, kept: false } },
  'a program that was not measured keeps none': {
    last: point(20, Number.NaN),
    want: { value: Number.NaN, kept: false },
  },
};

for (const [name, { last, want }] of Object.entries(ratios)) {
  test(`ratiosOf: ${name}`, (t) => {
    const [operator, etcd] = ratiosOf([point(10, 4), point(15, 100), last], 1.25);
    t.is(operator?.name, 'processor time of the operator per Run, 20 Runs / 10 Runs');
    t.is(operator?.value, want.value);
    t.is(keepsBar(operator!), want.kept);
    t.is(keepsBar(etcd!), undefined);
  });
}

test('ratiosOf: time and writes are told for each Run', (t) => {
  const last = point(20, 4, { seconds: 3, runs: 20, writes: 9 });
  const figures = ratiosOf([point(10, 4, { seconds: 1, runs: 10 }), last], 2);
  const valueOf = (start: string) => figures.find(({ name }) => name.startsWith(start))?.value;
  t.is(valueOf('time per Run')?.toFixed(3), '1.500');
  t.is(valueOf('writes of the operator'), 1.5);
});

test('ratiosOf: of nothing there are none', (t) => t.deepEqual(ratiosOf([], 2), []));

test('toTable aligns its columns, with one for each program', (t) => {
  t.is(
    toTable([point(10, 4), point(2000, 12.346)]),
    [
      'Runs in all  Runs  seconds  ms per Run  operator  etcd  writes   MB',
      '         10     5      0.1       20.00      4.00  2.00    6.00  150',
      '       2000  1000     20.0       20.00     12.35  2.00    6.00  150',
    ].join('\n'),
  );
});

test('toBars draws the longest in full and the others in proportion', (t) => {
  const lines = toBars([
    ['1000', 1],
    ['20000', 4],
  ]).split('\n');
  t.deepEqual(lines, [` 1000 ${'█'.repeat(10)} 1.00`, `20000 ${'█'.repeat(40)} 4.00`]);
});

test('toBars of zeros and of nothing draws none', (t) => {
  t.is(toBars([['1', 0]]), '1  0.00');
  t.is(toBars([]), '');
});
