// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { labelMatcher } from './selector.ts';

const LABELS = { app: 'web', tier: 'front', 'nexusos.dev/tenant': 'acme', empty: '' };

const CASES: Record<string, boolean> = {
  '': true,
  'app=web': true,
  'app==web': true,
  'app=db': false,
  'app!=db': true,
  'other!=x': true,
  'app!=web': false,
  'app=web,tier=front': true,
  'app=web,tier=back': false,
  'nexusos.dev/tenant': true,
  '!nexusos.dev/tenant': false,
  '!missing': true,
  missing: false,
  'app in (web, db)': true,
  'app in (db)': false,
  'missing in (db)': false,
  'app notin (db, cache)': true,
  'missing notin (db)': true,
  'app notin (web),tier': false,
  'app in (web,db),nexusos.dev/tenant=acme': true,
  'empty=': true,
};

for (const [selector, want] of Object.entries(CASES)) {
  test(`"${selector}" ${want ? 'matches' : 'does not match'}`, (t) => {
    t.is(labelMatcher(selector)(LABELS), want);
  });
}

test('a selector that cannot be read is an error', (t) => {
  t.throws(() => labelMatcher('a b'), { message: /cannot read/ });
});
