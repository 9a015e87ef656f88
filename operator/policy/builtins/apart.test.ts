// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { evaluateHere } from '../evaluate-here.ts';
import { RegoObject, RegoSet, type Value } from '../values/value.ts';
import { compileModule } from '../testing/compile.ts';
import { EvaluationFailure, Failure } from '../verdict.ts';
import { callBuiltin } from './call.ts';

const call = (name: string, ...args: readonly Value[]): Value | undefined =>
  callBuiltin(name, args, { nowNs: 0n, expectTime: () => undefined });

test("the environment is nobody's business", (t) => {
  t.deepEqual(call('opa.runtime'), new RegoObject([]));
});

const CASTS = {
  cast_array: { value: [1], wrong: 'a' },
  cast_set: { value: new RegoSet([1]), wrong: 'a' },
  cast_string: { value: 'a', wrong: 1 },
  cast_boolean: { value: false, wrong: 1 },
  cast_null: { value: null, wrong: 1 },
  cast_object: { value: new RegoObject([]), wrong: [] },
} as const;

for (const [name, { value, wrong }] of Object.entries(CASTS)) {
  test(`${name}, which only old Rego can call, keeps its own type`, (t) => {
    t.deepEqual(call(name, value), value);
    t.is(call(name, wrong), undefined);
  });
}

/** A few characters that ask for more than any policy needs. */
const TOO_MUCH: Readonly<Record<string, readonly Value[]>> = {
  'net.cidr_expand': ['10.0.0.0/8'],
  'numbers.range_step': [0, 1e12, 1],
  indexof_n: ['a'.repeat(100_000), 'a'],
  'regex.find_n': ['a', 'a'.repeat(100_000), -1],
  'regex.replace': ['a'.repeat(10_000), 'a', 'b'.repeat(1000)],
  sprintf: ['%1000000d%1000000d', [1, 1]],
};

for (const [name, args] of Object.entries(TOO_MUCH)) {
  test(`${name} fails the evaluation rather than make too much, or leave something out`, (t) => {
    const error = t.throws(() => call(name, ...args));
    t.is((error as Error & { reason?: string }).reason, 'Builtin');
    t.regex(error.message, /makes .* at most|more than \d+/);
  });
}

test('a pattern that takes other engines for ever takes this one no time', async (t) => {
  const rego = `package p
    deny contains "matched" if regex.match(input.pattern, input.text)
    deny contains "found" if count(regex.find_n(input.pattern, input.text, -1)) > 0
    deny contains "replaced" if regex.replace(input.text, input.pattern, "x") != input.text`;
  const module = await compileModule({ rego, entrypoints: ['p/deny'] });
  const input = new TextEncoder().encode(
    JSON.stringify({ pattern: '^(a+)+$', text: `${'a'.repeat(5000)}b` }),
  );
  const asked = {
    module,
    entrypoint: 'p/deny',
    input,
    nowNs: 0n,
    deadlineMs: 50,
    memoryMiB: 16,
    tenant: undefined,
  };
  const verdict = evaluateHere(asked);
  t.deepEqual(verdict.kind === 'value' && verdict.value, []);
  t.true(verdict.micros < 5_000_000, `${verdict.micros} us`);
});

test('searching asks for time between matches, and is over when there is none', (t) => {
  const over = new EvaluationFailure(Failure.Timeout, 'enough');
  for (const [name, args] of Object.entries({
    'regex.replace': ['aaa', 'a', 'b'],
    'regex.split': ['a', 'aaa'],
    'regex.find_n': ['a', 'aaa', -1],
  })) {
    let left = 2;
    const expectTime = (): void => {
      left -= 1;
      if (left < 0) throw over;
    };
    t.is(
      t.throws(() => callBuiltin(name, args, { nowNs: 0n, expectTime })),
      over,
      name,
    );
  }
});
