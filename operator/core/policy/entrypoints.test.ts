// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type EntrypointResult, resultOf } from './entrypoints.ts';
import { SILENT } from './outputs.ts';

const asked = (role: string, result: EntrypointResult) => ({
  entrypoint: { path: `p/${role}`, role },
  result,
});
const value = (found: unknown): EntrypointResult => ({ kind: 'value', value: found });
const UNDEFINED: EntrypointResult = { kind: 'undefined' };
const finding = (message: string) => ({ rule: '', message });

const ANSWERS: Readonly<Record<string, { given: Parameters<typeof resultOf>[0]; want: object }>> = {
  'one decision': { given: [asked('decision', value({ deny: ['no'] }))], want: { deny: [finding('no')] } },
  'a rule for each': {
    given: [asked('deny', value(['no'])), asked('warn', value([])), asked('allow', value(true))],
    want: { deny: [finding('no')], allow: true },
  },
  'a denial that is true': {
    given: [asked('deny', value(true))],
    want: { deny: [finding('it is not allowed')] },
  },
  'a denial that is false': { given: [asked('deny', value(false))], want: {} },
  'a denial that is a text': { given: [asked('deny', value('no'))], want: { deny: [finding('no')] } },
  'a denial that is one object': {
    given: [asked('deny', value({ msg: 'no' }))],
    want: { deny: [finding('no')] },
  },
  'an empty text is a denial': { given: [asked('deny', value(''))], want: { deny: [finding('')] } },
  'a denial that is undefined': { given: [asked('deny', UNDEFINED)], want: {} },
  'an opinion that is undefined': { given: [asked('allow', UNDEFINED)], want: { allow: null } },
  'two opinions': {
    given: [asked('allow', value(true)), asked('allow', value(false))],
    want: { allow: false },
  },
  'an opinion and none': {
    given: [asked('allow', value(true)), asked('allow', UNDEFINED)],
    want: { allow: null },
  },
  'a refusal and no opinion': {
    given: [asked('allow', UNDEFINED), asked('allow', value(false))],
    want: { allow: false },
  },
  'denials of two': {
    given: [asked('deny', value(['a'])), asked('deny', value(['b']))],
    want: { deny: [finding('a'), finding('b')] },
  },
};

for (const [name, { given, want }] of Object.entries(ANSWERS)) {
  test(`answer: ${name}`, (t) => {
    t.deepEqual(resultOf(given), { kind: 'answer', answer: { ...SILENT, ...want } });
  });
}

const FAILURES: Readonly<Record<string, { given: Parameters<typeof resultOf>[0]; want: string }>> = {
  'a decision that is undefined': { given: [asked('decision', UNDEFINED)], want: 'Undefined' },
  'no entry points': { given: [], want: 'Undefined' },
  'a decision that is malformed': { given: [asked('decision', value([]))], want: 'Malformed' },
  'a denial that is a number': { given: [asked('deny', value(3))], want: 'Malformed' },
  'one of several fails': {
    given: [asked('deny', value([])), asked('warn', { kind: 'failed', reason: 'Timeout', message: 'x' })],
    want: 'Timeout',
  },
};

for (const [name, { given, want }] of Object.entries(FAILURES)) {
  test(`failure: ${name}`, (t) => {
    const result = resultOf(given);
    t.is(result.kind === 'failed' ? result.reason : result.kind, want);
  });
}
