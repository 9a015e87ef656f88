// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { token } from './meta.ts';

const CASES: Readonly<Record<string, { readonly text: string; readonly want: boolean }>> = {
  'letters and digits are a token': { text: 'order-17', want: true },
  'so is a single character': { text: 'x', want: true },
  'punctuation that paths and addresses have is part of one': {
    text: 'mail:a.b+c@d.example/7?x=1&y',
    want: true,
  },
  'so are blanks in between': { text: 'the other chat', want: true },
  'none at the beginning': { text: ' order', want: false },
  'nor at the end': { text: 'order ', want: false },
  'no new line at the end': { text: 'order\n', want: false },
  'no letters of another script that look like ours': { text: '\u043erder', want: false },
  'none of full width': { text: '\uff4frder', want: false },
  'nothing that cannot be seen': { text: 'order\u200b', want: false },
  'no accents, which can be written in two ways': { text: 'e\u0301', want: false },
  'nothing that ends a variable': { text: 'or\u0000der', want: false },
  'it is not empty': { text: '', want: false },
  'it has an end': { text: 'x'.repeat(256), want: false },
};

for (const [title, { text, want }] of Object.entries(CASES)) {
  test(title, (t) => t.is(token('a text').safeParse(text).success, want));
}
