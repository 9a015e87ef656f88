// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { readFloor } from './source.ts';

const RULE = { rule: 'a', expression: 'true', message: 'm' };

const REFUSED: Readonly<Record<string, { readonly value: unknown; readonly want: RegExp }>> = {
  'a list': { value: [], want: /no mapping/ },
  'nothing in it': { value: {}, want: /^rules: / },
  'no rule': { value: { rules: [] }, want: /^rules: / },
  'a key that nobody knows': {
    value: { rules: [RULE], match: {} },
    want: /found match; rules and variables/,
  },
  'a misspelt key of a rule': { value: { rules: [{ ...RULE, mesage: 'm' }] }, want: /^rules: found mesage/ },
  'a name twice': { value: { rules: [RULE, RULE] }, want: /found a twice/ },
  'a rule that says nothing': {
    value: { rules: [{ rule: 'a', expression: 'true' }] },
    want: /a has neither/,
  },
  'a name with a blank': { value: { rules: [{ ...RULE, rule: 'a b' }] }, want: /rules\.0\.rule/ },
  'a message of two lines': { value: { rules: [{ ...RULE, message: 'a\nb' }] }, want: /rules\.0\.message/ },
  'an expression that is too long': {
    value: { rules: [{ ...RULE, expression: 'x'.repeat(5000) }] },
    want: /rules\.0\.expression/,
  },
  'a variable of ours': {
    value: { rules: [RULE], variables: [{ name: 'parameters', expression: '1' }] },
    want: /found the name parameters/,
  },
  'a variable that would stand for an exemption': {
    value: { rules: [RULE], variables: [{ name: 'nexusosExempt0', expression: 'true' }] },
    want: /begin with nexusos/,
  },
  'a variable that is no name': {
    value: { rules: [RULE], variables: [{ name: 'a.b', expression: '1' }] },
    want: /variables\.0\.name/,
  },
};

for (const [title, { value, want }] of Object.entries(REFUSED)) {
  test(`refused: ${title}`, (t) => {
    const read = readFloor(value);
    t.is(read.kind, 'refused');
    t.regex(read.kind === 'refused' ? read.message : '', want);
  });
}

test('what is in order is taken as it is', (t) => {
  const floor = { rules: [RULE], variables: [{ name: 'spec', expression: 'object.spec' }] };
  t.deepEqual(readFloor(floor), { kind: 'ok', floor });
});
