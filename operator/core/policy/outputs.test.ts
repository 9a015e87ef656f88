// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { MAX_ENTRIES, MAX_MESSAGE, readAnswer, SILENT } from './outputs.ts';

test('what a pack may answer', (t) => {
  const read = readAnswer({
    deny: ['no', { msg: 'not so', rule: 'pods', field: 'spec.x', details: { a: 1 } }],
    violation: [{ msg: 'v', rule: 'K8sX/y', enforcementAction: 'dryrun' }, { msg: 'w' }],
    allow: null,
    regions: ['eu-1'],
    dlp: [{ detector: 'iban', action: 'redact', path: '/spec/input' }],
    limits: { tokens: 10 },
    mutate: [{ path: '/metadata/labels/team', value: 'a' }],
  });
  t.deepEqual(read, {
    kind: 'ok',
    answer: {
      ...SILENT,
      deny: [
        { rule: '', message: 'no' },
        { rule: 'pods', message: 'not so', field: 'spec.x' },
      ],
      violation: [
        { rule: 'K8sX/y', message: 'v', action: 'dryrun' },
        { rule: '', message: 'w', action: 'deny' },
      ],
      allow: null,
      regions: ['eu-1'],
      dlp: [{ detector: 'iban', action: 'redact', path: '/spec/input', message: 'found by iban' }],
      limits: { tokens: 10 },
      mutate: [{ path: '/metadata/labels/team', value: 'a' }],
    },
  });
});

test('a message that is too long is cut, and is still a denial', (t) => {
  const read = readAnswer({ deny: ['x'.repeat(100_000)] });
  t.is(read.kind === 'ok' ? read.answer.deny[0]?.message.length : 0, MAX_MESSAGE);
});

test('a set of one rule that says nothing of its message', (t) => {
  const read = readAnswer({ violation: [{ details: {} }] });
  t.is(read.kind === 'ok' ? read.answer.violation[0]?.message : '', 'no message');
});

const MALFORMED: Readonly<Record<string, { given: unknown; says: RegExp }>> = {
  'no object': { given: true, says: /an object in the decision/ },
  'a key that is misspelt': { given: { denies: [] }, says: /one of deny, .* in denies/ },
  'a key of every object': { given: { constructor: [] }, says: /in constructor/ },
  'a denial that is no list': { given: { deny: 'no' }, says: /a list or set in deny/ },
  'a finding that is a number': { given: { deny: [1] }, says: /an object in deny\[0\]/ },
  'a finding with a strange key': { given: { deny: [{ message: 'no' }] }, says: /in deny\[0\].message/ },
  'a message that is an object': { given: { deny: [{ msg: {} }] }, says: /a string in deny\[0\].msg/ },
  'too many': { given: { warn: Array.from({ length: MAX_ENTRIES + 1 }, () => 'x') }, says: /at most 1000/ },
  'allow that is a text': { given: { allow: 'true' }, says: /true or false in allow/ },
  'an action that does not exist': {
    given: { dlp: [{ detector: 'a', action: 'drop' }] },
    says: /allow or log or redact or block in dlp\[0\].action/,
  },
  'an enforcement that does not exist': {
    given: { violation: [{ msg: 'x', enforcementAction: 'scoped' }] },
    says: /deny or warn or dryrun/,
  },
  'a limit below nothing': { given: { limits: { cost: -1 } }, says: /not negative in limits.cost/ },
  'a limit of what nobody counts': { given: { limits: { words: 1 } }, says: /in limits.words/ },
  'a pointer that is none': { given: { masks: ['spec.x'] }, says: /a JSON pointer/ },
  'a default for the whole object': {
    given: { mutate: [{ path: '', value: {} }] },
    says: /below the object/,
  },
  'a default without value': { given: { mutate: [{ path: '/a' }] }, says: /a value in mutate\[0\]/ },
  'an empty region': { given: { regions: [''] }, says: /1 to 256 characters/ },
};

for (const [name, { given, says }] of Object.entries(MALFORMED)) {
  test(`malformed: ${name}`, (t) => {
    const read = readAnswer(given);
    t.is(read.kind, 'malformed');
    t.regex(read.kind === 'malformed' ? read.message : '', says);
  });
}
