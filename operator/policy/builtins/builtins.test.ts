// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { callOf, compareWithOpa, readLines } from '../testing/same-as-opa.ts';
import { BUILTINS } from './known.ts';
import { HOST_BUILTINS } from './names.ts';

/** What answers with sets: a module writes them in an order of its own. */
const SETS = /^(?:net\.cidr_(?:expand|merge|contains_matches)|graph\.reachable_paths)\(/;
/** What has a test of its own: cannot be the same on two machines, or only old Rego can call. */
const APART = [
  ...'sprintf opa.runtime time.now_ns yaml.marshal'.split(' '),
  ...'array set string boolean null object'.split(' ').map((type) => `cast_${type}`),
];

function ordered(name: string, answer: unknown): unknown {
  if (!SETS.test(name) || !Array.isArray(answer)) return answer;
  return answer.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

test('each builtin answers what opa does, also of wrong types', async (t) => {
  const lines = Object.entries(await readLines('builtins'));
  const calls = Object.fromEntries(lines.map(([builtin, each]) => [builtin, each.map(callOf)]));
  const { different, answered } = await compareWithOpa(calls, ordered);
  t.deepEqual(different, {});
  t.true(answered > 150, `${answered} were answered`);
});

test('each builtin of the host is held against opa somewhere', async (t) => {
  const tables = await Promise.all(['builtins', 'time'].map(readLines));
  const yaml = ['yaml.is_valid', 'yaml.unmarshal'];
  const asked = new Set([...tables.flatMap((table) => Object.keys(table)), ...yaml, ...APART]);
  t.deepEqual(
    HOST_BUILTINS.filter((name) => !asked.has(name)),
    [],
  );
});

test('what is named is what there is, so that modules may ask for nothing that nobody answers', (t) => {
  t.deepEqual(HOST_BUILTINS, Object.keys(BUILTINS).toSorted());
});
