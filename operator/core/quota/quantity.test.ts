// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { formatQuantity, parseQuantity, quantityFormat } from './quantity.ts';

const parsed: Record<string, { value: string | number; want: bigint | undefined }> = {
  'a plain number': { value: '2', want: 2000n },
  'a JSON number': { value: 2, want: 2000n },
  'a JSON number with a fraction': { value: 0.5, want: 500n },
  'a JSON number that JavaScript writes with an exponent': { value: 1e21, want: 9223372036854775807000n },
  thousandths: { value: '1500m', want: 1500n },
  'a fraction': { value: '0.1', want: 100n },
  'a fraction without a leading digit': { value: '.5', want: 500n },
  'a point without a fraction': { value: '5.', want: 5000n },
  'a binary suffix': { value: '1Ki', want: 1_024_000n },
  'a fraction of a binary suffix': { value: '1.5Gi', want: 1_610_612_736_000n },
  'a decimal suffix': { value: '3k', want: 3_000_000n },
  'an exponent': { value: '1e3', want: 1_000_000n },
  'a negative exponent': { value: '5E-1', want: 500n },
  'E alone is exa, not an exponent': { value: '1E', want: 1_000_000_000_000_000_000_000n },
  'micro-units round up': { value: '1u', want: 1n },
  'nano-units round up': { value: '1000001n', want: 2n },
  'a fraction finer than a thousandth rounds up': { value: '0.0001', want: 1n },
  'a negative amount rounds away from zero': { value: '-1u', want: -1n },
  'what is beyond 64 bits is capped': { value: '9999999E', want: 9223372036854775807000n },
  zero: { value: '0', want: 0n },
  'an empty text': { value: '', want: undefined },
  'a suffix alone': { value: 'Ki', want: undefined },
  'a point alone': { value: '.', want: undefined },
  'an unknown suffix': { value: '1ki', want: undefined },
  'two suffixes': { value: '1mm', want: undefined },
  'a space': { value: '1 Gi', want: undefined },
  'digits of another script': { value: '١', want: undefined },
  'not a number': { value: Number.NaN, want: undefined },
};

for (const [name, { value, want }] of Object.entries(parsed)) {
  test(`parseQuantity: ${name}`, (t) => t.is(parseQuantity(value), want));
}

const written: Record<string, { given: string; want: string }> = {
  'whole cores lose the m': { given: '1000m', want: '1' },
  'parts of a core keep it': { given: '1500m', want: '1500m' },
  'thousands become k': { given: '5000', want: '5k' },
  'what is no multiple of a thousand keeps its digits': { given: '1500', want: '1500' },
  'binary suffixes grow': { given: '1024Mi', want: '1Gi' },
  'binary fractions become whole': { given: '1.5Gi', want: '1536Mi' },
  'less than 1024 has no binary suffix': { given: '0.5Ki', want: '512' },
  'a binary amount that is not whole falls back': { given: '1.0001Ki', want: '1024103m' },
  'zero has no suffix': { given: '0Gi', want: '0' },
  'a negative amount': { given: '-2048Ki', want: '-2Mi' },
  'the largest suffix is the end': { given: '8000P', want: '8E' },
};

for (const [name, { given, want }] of Object.entries(written)) {
  test(`formatQuantity: ${name}`, (t) => {
    t.is(formatQuantity(parseQuantity(given)!, quantityFormat(given)), want);
  });
}

const millis = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n });
const formats = fc.constantFrom('binary' as const, 'decimal' as const);

test('what is written reads as the same amount', (t) => {
  fc.assert(
    fc.property(millis, formats, (milli, like) => parseQuantity(formatQuantity(milli, like)) === milli),
  );
  t.pass();
});

test('what is written is canonical: writing it again changes nothing', (t) => {
  fc.assert(
    fc.property(millis, formats, (milli, like) => {
      const once = formatQuantity(milli, like);
      return formatQuantity(parseQuantity(once)!, quantityFormat(once)) === once;
    }),
  );
  t.pass();
});

test('a larger number with the same suffix is never a smaller quantity', (t) => {
  const suffix = fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'Ki', 'Mi', 'Gi', 'e2', 'e-4');
  fc.assert(
    fc.property(fc.nat(), fc.nat(), suffix, (a, b, unit) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      return parseQuantity(`${low}${unit}`)! <= parseQuantity(`${high}${unit}`)!;
    }),
  );
  t.pass();
});
