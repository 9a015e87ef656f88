// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { evaluateHere } from '../evaluate-here.ts';
import { compileModule } from '../testing/compile.ts';
import { callOf, compareWithOpa, readLines } from '../testing/same-as-opa.ts';

test('times answer what opa does, in each layout and zone', async (t) => {
  const lines = Object.entries(await readLines('time'));
  const calls = Object.fromEntries(lines.map(([builtin, each]) => [builtin, each.map(callOf)]));
  const { different, answered } = await compareWithOpa(calls);
  t.deepEqual(different, {});
  t.true(answered > 120, `${answered} were answered`);
});

test('the time is the one that the evaluation was given, to the nanosecond', async (t) => {
  const rego = `package p
    now := {"ns": sprintf("%d", [time.now_ns()]), "same": time.now_ns() == time.now_ns(), "year": time.date(time.now_ns())[0]}`;
  const module = await compileModule({ rego, entrypoints: ['p/now'] });
  const input = new TextEncoder().encode('{}');
  const asked = { module, entrypoint: 'p/now', input, deadlineMs: 50, memoryMiB: 8, tenant: undefined };
  const verdict = evaluateHere({ ...asked, nowNs: 1_700_000_000_123_456_789n });
  t.deepEqual(verdict.kind === 'value' && verdict.value, {
    ns: '1700000000123456789',
    same: true,
    year: 2023,
  });
});
