// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { flagOf } from '#operator/settings';
import { WEBHOOK_SETTINGS } from './config.ts';

test('flags are made of whole words', (t) => {
  const flags = Object.keys(WEBHOOK_SETTINGS).map(flagOf);
  t.true(flags.includes('--memory-limit-mib'));
  t.deepEqual(
    flags.filter((flag) => flag.split('-').some((word, index) => index > 1 && word.length < 2)),
    [],
  );
});
