// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { divideHalfUp, formatMicro, parseMicro } from './micro.ts';

const cases: Record<string, { readonly micro: bigint; readonly want: string }> = {
  nothing: { micro: 0n, want: '0' },
  'a whole number': { micro: 12_000_000n, want: '12' },
  'a fraction without zeros at its end': { micro: 1_500_000n, want: '1.5' },
  'a millionth': { micro: 1n, want: '0.000001' },
};

for (const [name, { micro, want }] of Object.entries(cases)) {
  test(`written: ${name}`, (t) => t.is(formatMicro(micro), want));
}

test('what was written is read as the same integer', (t) => {
  fc.assert(fc.property(fc.bigInt(0n, 10n ** 45n), (micro) => parseMicro(formatMicro(micro)) === micro));
  t.is(parseMicro('so much'), 0n);
});

test('a half is rounded up, and less than a half down', (t) => {
  t.is(divideHalfUp(5n, 2n), 3n);
  t.is(divideHalfUp(4n, 3n), 1n);
  t.is(divideHalfUp(499n, 1000n), 0n);
  t.is(divideHalfUp(6n, 3n), 2n);
});
