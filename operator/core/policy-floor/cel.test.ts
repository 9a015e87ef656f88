// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { globCel, selectorCel, textCel, valueCel } from './cel.ts';

const VALUES: Readonly<Record<string, { readonly value: unknown; readonly want: string }>> = {
  'a text': { value: 'a', want: "'a'" },
  'a text that would end the string': { value: "a' || true || '", want: String.raw`'a\' || true || \''` },
  'a backslash before a quote': { value: String.raw`\'`, want: String.raw`'\\\''` },
  'a line break': { value: 'a\nb', want: String.raw`'a\u000ab'` },
  'half a character': { value: '\ud800', want: "'\ufffd'" },
  'a whole number': { value: 5, want: '5' },
  'less than nothing': { value: -1, want: '-1' },
  'minus zero': { value: -0, want: '0' },
  'a part of one': { value: 1.5, want: '1.5' },
  'more than an int': { value: 1e21, want: '1e+21' },
  'a large whole number that is no safe one': { value: 2 ** 60, want: '1152921504606847000.0' },
  yes: { value: true, want: 'true' },
  no: { value: false, want: 'false' },
  nothing: { value: null, want: 'null' },
  'a list of several types': { value: [1, 'b'], want: "[dyn(1), dyn('b')]" },
  'a map': { value: { a: { b: [] } }, want: "{'a': dyn({'b': dyn([])})}" },
};

for (const [title, { value, want }] of Object.entries(VALUES)) {
  test(`valueCel: ${title}`, (t) => t.is(valueCel(value), want));
}

test('textCel: what turns text round is kept, and cannot end it', (t) => {
  t.is(textCel('\u2028'), String.raw`'\u2028'`);
});

const GLOBS: Readonly<Record<string, { readonly pattern: string; readonly want: string }>> = {
  'a name': { pattern: 'a-b', want: "x == 'a-b'" },
  'a beginning': { pattern: 'a-*', want: String.raw`x.matches('^a\\-.*$')` },
  'a dot is a dot': { pattern: '*.b', want: String.raw`x.matches('^.*\\.b$')` },
};

for (const [title, { pattern, want }] of Object.entries(GLOBS)) {
  test(`globCel: ${title}`, (t) => t.is(globCel(pattern, 'x'), want));
}

test('selectorCel: an operator that nobody knows selects nothing, as nothing does', (t) => {
  t.is(selectorCel({}, 'object'), 'true');
  t.is(selectorCel({ matchExpressions: [{ key: 'a', operator: 'Near' }] }, 'object'), '(false)');
  t.is(selectorCel({ matchExpressions: [{ key: 'a', operator: 'In', values: [] }] }, 'object'), '(false)');
});
