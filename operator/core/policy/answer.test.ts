// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type AskedEntrypoint, resultOf } from './answer.ts';
import type { PackResult } from './compose.ts';

const value = (role: string, found: unknown): AskedEntrypoint => ({
  entrypoint: { path: `nexusos/main/${role}`, role },
  verdict: { kind: 'value', value: found, micros: 1 },
});
const silent = (role: string): AskedEntrypoint => ({
  entrypoint: { path: `nexusos/main/${role}`, role },
  verdict: { kind: 'undefined', micros: 1 },
});

interface Case {
  readonly asked: readonly AskedEntrypoint[];
  /** What is answered, in part; or why it is none. */
  readonly want: Partial<Extract<PackResult, { kind: 'answer' }>['answer']> | string;
}

const CASES: Readonly<Record<string, Case>> = {
  'one entry point for all': {
    asked: [value('decision', { deny: [{ msg: 'no', rule: 'main' }] })],
    want: { deny: [{ rule: 'main', message: 'no' }] },
  },
  'what decides everything and is undefined is a failure, and no consent': {
    asked: [silent('decision')],
    want: 'Undefined',
  },
  'an entry point for each key, some with nothing to say': {
    asked: [value('deny', ['a']), value('deny', ['b']), silent('warn'), value('regions', ['eu'])],
    want: {
      deny: [
        { rule: '', message: 'a' },
        { rule: '', message: 'b' },
      ],
      regions: ['eu'],
    },
  },
  'two that speak of access must both allow': {
    asked: [value('allow', true), value('allow', false)],
    want: { allow: false },
  },
  'one that does not end': {
    asked: [
      value('deny', []),
      { ...value('warn', 0), verdict: { kind: 'failed', reason: 'Timeout', message: 'late', micros: 1 } },
    ],
    want: 'Timeout',
  },
  'a list and something else': { asked: [value('deny', ['a']), value('deny', true)], want: 'BadResult' },
  'no object': { asked: [value('decision', ['deny'])], want: 'BadResult' },
  'a key that is none': { asked: [value('decision', { denies: [] })], want: 'BadResult' },
  'nothing to ask': { asked: [], want: 'Entrypoint' },
};

for (const [name, { asked, want }] of Object.entries(CASES)) {
  test(`what a pack says, of what its entry points came to: ${name}`, (t) => {
    const result = resultOf(asked);
    if (typeof want === 'string') t.is(result.kind === 'failed' ? result.reason : result.kind, want);
    else t.like(result.kind === 'answer' ? result.answer : result, want);
  });
}
