// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { distinctVoices, type Voice } from './threshold.ts';

const by = (authority: string, ...marks: readonly string[]): Voice => ({ authority, marks });

const cases: Readonly<Record<string, { readonly voices: readonly Voice[]; readonly want: number }>> = {
  nobody: { voices: [], want: 0 },
  'one signer': { voices: [by('a', 'k1')], want: 1 },
  'one signer twice': { voices: [by('a', 'k1'), by('a', 'k1')], want: 1 },
  'two signers of one authority': { voices: [by('a', 'k1'), by('a', 'k2')], want: 1 },
  'two signers of two authorities': { voices: [by('a', 'k1'), by('b', 'k2')], want: 2 },
  'one signer under two names': { voices: [by('a', 'k1'), by('b', 'k1')], want: 1 },
  'one identity with two keys under two names': {
    voices: [by('a', 'k1', 'me'), by('b', 'k2', 'me')],
    want: 1,
  },
  'one key, with a certificate and without': { voices: [by('a', 'k1'), by('b', 'k1', 'me')], want: 1 },
  'joined by a third': {
    voices: [by('a', 'k1'), by('b', 'k2'), by('c', 'k1', 'me'), by('c', 'k2', 'me')],
    want: 1,
  },
  'the first finds another signer': { voices: [by('a', 'k1'), by('a', 'k2'), by('b', 'k1')], want: 2 },
  'as many names as signers, and not as many pairs': {
    voices: [by('a', 'k1'), by('a', 'k2'), by('a', 'k3'), by('b', 'k1'), by('c', 'k1')],
    want: 2,
  },
  'a chain of others': {
    voices: [by('a', 'k1'), by('a', 'k2'), by('b', 'k2'), by('b', 'k3'), by('c', 'k1'), by('d', 'k1')],
    want: 3,
  },
};

for (const [title, { voices, want }] of Object.entries(cases)) {
  test(`authorities count that speak through somebody of their own: ${title}`, (t) => {
    t.is(distinctVoices(voices), want);
    t.is(distinctVoices(voices.toReversed()), want);
  });
}
