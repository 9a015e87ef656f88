// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { AgentParameters } from '#crds/v1alpha1/agent-parameters';
import { checkParameters, effectiveParameters } from './parameters.ts';
import { makeAgent, makeRun } from './testing/make.ts';

const DECLARED: AgentParameters = [
  { name: 'topic', required: true },
  { name: 'style', required: false, default: 'short', enum: ['short', 'long'] },
];

interface Case {
  readonly declared?: AgentParameters;
  readonly given?: Readonly<Record<string, string>>;
  /** Undefined: nothing is wrong. */
  readonly want?: RegExp;
}

const cases: Record<string, Case> = {
  'an Agent that declares none takes any': { given: { anything: '1' } },
  'an Agent that declares an empty list takes none': {
    declared: [],
    given: { anything: '1' },
    want: /has no anything; allowed are none/,
  },
  'as declared': { declared: DECLARED, given: { topic: 'q3', style: 'long' } },
  'one that is required is missing': { declared: DECLARED, want: /spec\.parameters\.topic: .*requires/ },
  'one that is required has a default': { declared: [{ name: 'a', required: true, default: '1' }] },
  'one is unknown': {
    declared: DECLARED,
    given: { topic: 'q3', stile: 'long' },
    want: /Agent agent has no stile; allowed are topic, style/,
  },
  'a value that is not allowed': {
    declared: DECLARED,
    given: { topic: 'q3', style: 'huge' },
    want: /spec\.parameters\.style: found "huge"; allowed are short, long/,
  },
};

for (const [name, { declared, given = {}, want }] of Object.entries(cases)) {
  test(`parameters: ${name}`, (t) => {
    const agent = makeAgent(declared === undefined ? {} : { parameters: declared });
    const found = checkParameters(makeRun({ parameters: given }), agent);
    if (want === undefined) t.is(found, undefined);
    else t.regex(found ?? '', want);
  });
}

test('a Run goes before the defaults of its Agent', (t) => {
  const agent = makeAgent({ parameters: DECLARED });
  const values = (parameters: Record<string, string>) => [
    ...effectiveParameters(makeRun({ parameters }), agent),
  ];
  t.deepEqual(values({ topic: 'q3' }), [
    ['style', 'short'],
    ['topic', 'q3'],
  ]);
  t.deepEqual(values({ topic: 'q3', style: 'long' })[0], ['style', 'long']);
});
