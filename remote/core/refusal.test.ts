// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { toldAddress } from './refusal.ts';
import { Secrets } from './secrets.ts';

const CREDENTIAL = 'first-half?second-half';
const CASES: Readonly<Record<string, [url: string, want: string]>> = {
  'the query is not told': ['https://a.example/x?key=1', 'https://a.example/x'],
  'an address without one is told as it is': ['https://a.example/x', 'https://a.example/x'],
  'of a credential with a question mark no half is told': [
    `https://a.example/${CREDENTIAL}/x`,
    'https://a.example/***/x',
  ],
  'nor where it is in the query': [`https://a.example/x?${CREDENTIAL}`, 'https://a.example/x'],
};

for (const [name, [url, want]] of Object.entries(CASES)) {
  test(name, (t) => {
    const secrets = new Secrets();
    secrets.add(CREDENTIAL);
    t.is(
      toldAddress(url, (text) => secrets.hide(text)),
      want,
    );
  });
}
