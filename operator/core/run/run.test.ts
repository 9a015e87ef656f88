// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import test from 'ava';
import { childName, uidDigest } from './run.ts';

const names: Record<string, { name: string; want: RegExp }> = {
  'a short name stays readable': { name: 'summarize', want: /^summarize-[0-9a-f]{10}-7$/ },
  'a long name is cut so that all fits a label': { name: 'x'.repeat(63), want: /^x{50}-[0-9a-f]{10}-7$/ },
  'no hyphen is doubled where it is cut': {
    name: `${'x'.repeat(49)}-yyyyyyyyyyyyy`,
    want: /^x{49}-[0-9a-f]{10}-7$/,
  },
};

for (const [title, { name, want }] of Object.entries(names)) {
  test(`childName: ${title}`, (t) => {
    t.regex(childName({ name, uid: 'u' }, 7), want);
    t.true(childName({ name, uid: 'u' }, 7).length <= 63);
    t.not(childName({ name, uid: 'u' }, 7), childName({ name, uid: 'v' }, 7));
  });
}

test('what stands for a uid in names is the beginning of its digest, asked for once or again', (t) => {
  const want = createHash('sha256').update('first').digest('hex').slice(0, 10);
  t.deepEqual([uidDigest('first'), uidDigest('first')], [want, want]);
});
