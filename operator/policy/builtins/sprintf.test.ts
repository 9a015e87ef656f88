// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Call, callOf, compareWithOpa, readLines } from '../testing/same-as-opa.ts';

/** Of numbers beyond 64 bits these verbs show where and how Go keeps them: never twice the same. */
function isOfMemory([verb = '', value = '']: Call): boolean {
  return /%[pw]/.test(verb) && /\d{19,}/.test(value);
}

test('sprintf answers what Go does, for each verb and each type', async (t) => {
  const { verbs = [], values = [], formats = [] } = await readLines('sprintf');
  const each = verbs.flatMap((verb) => values.map((value): Call => [verb, `[${value}]`]));
  const calls = { sprintf: [...each.filter((call) => !isOfMemory(call)), ...formats.map(callOf)] };
  const { different, answered } = await compareWithOpa(calls);
  t.deepEqual(different, {});
  t.true(answered > 1500, `${answered} were answered`);
});
