// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import test from 'ava';
import * as fc from 'fast-check';
import { parseModule } from '../binary/parse.ts';
import { MalformedBinary } from '../binary/reader.ts';
import { type CompiledModule, ENGINE } from '../engine.ts';
import { PolicyInstance } from '../instance.ts';
import { verifyModule } from '../module.ts';
import { compileRego } from '../testing/compile.ts';
import { type HandMade, handMade } from '../testing/hand-made.ts';
import { EVALUATION_LIMITS, EvaluationFailure, Failure } from '../verdict.ts';
import { meterModule } from './meter.ts';

const BUILTIN3 = '(import "env" "opa_builtin3" (func (param i32 i32 i32 i32 i32) (result i32)))';
const TYPES = '(type $one (func (param i32))) (type $pass (func (param i32) (result i32)))';
/** Calls itself twice at each of so many levels, without a loop and without ever coming back to a function. */
const cascade = Array.from(
  { length: 60 },
  (_, level) => `(func $f${level} ${level === 59 ? '' : `call $f${level + 1} call $f${level + 1}`})`,
).join('');

/** Code that goes on for ever, or for as good as that; each may only be ended where it asks for time. */
const ENDLESS: Readonly<Record<string, HandMade>> = {
  'a loop': { evaluate: '(loop $l br $l) unreachable' },
  'a loop that counts': {
    evaluate:
      '(local i64) (loop $l (local.set 7 (i64.add (local.get 7) (i64.const 1))) (br_if $l (i64.ne (local.get 7) (i64.const -1)))) i32.const 2048',
  },
  'loops in loops': { evaluate: '(loop $a (loop $b (loop $c br $b))) unreachable' },
  'a loop that is left and begun again': {
    evaluate: '(loop $a (block $b (loop $c br $b)) br $a) unreachable',
  },
  'a loop with a table of branches': {
    evaluate: '(loop $a (block $b (br_table $a $a $b (i32.const 1)))) unreachable',
  },
  'a loop with an argument': {
    more: TYPES,
    evaluate: '(i32.const 1) (loop $a (type $one) (br $a)) unreachable',
  },
  'a loop with an argument and a result': {
    more: TYPES,
    evaluate: '(i32.const 1) (loop $a (type $pass) (br $a))',
  },
  'calls of one another, cut off before they are too deep': {
    more: '(global $depth (mut i32) (i32.const 0)) (func $f (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))',
    evaluate: '(call $f (i32.const 60)) (i32.const 2048)',
  },
  'calls through a table': {
    more: `${TYPES} (table 1 1 funcref) (elem (i32.const 0) $f) (func $f (param i32) (if (local.get 0) (then (call_indirect (type $one) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)) (call_indirect (type $one) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))`,
    evaluate: '(call $f (i32.const 60)) (i32.const 2048)',
  },
  'neither loop nor recursion': { more: cascade, evaluate: 'call $f0 (i32.const 2048)' },
  'one function that fills memory, over and over': {
    evaluate: `${'(memory.fill (i32.const 0) (i32.const 1) (i32.const 65536))'.repeat(20_000)} (i32.const 2048)`,
  },
  'one function that copies memory, over and over': {
    evaluate: `${'(memory.copy (i32.const 0) (i32.const 1) (i32.const 65535))'.repeat(20_000)} (i32.const 2048)`,
  },
  'one function that wants memory, over and over': {
    evaluate: `${'(drop (memory.grow (i32.const 0)))'.repeat(20_000)} (i32.const 2048)`,
  },
  'a start function': { more: '(func $begin (loop $l br $l)) (start $begin)' },
  'preparing its heap': { malloc: '(loop $l br $l) unreachable' },
  'calling builtins': {
    evaluate:
      '(loop $l (drop (call $builtin1 (i32.const -1) (i32.const 0) (i32.const 0))) br $l) unreachable',
  },
};

function load(bytes: Uint8Array, clock: { readonly expectTime: () => void }): PolicyInstance {
  const verification = verifyModule(bytes);
  if (verification.kind === 'refused') throw new Error(JSON.stringify(verification.faults));
  const { layout, metered } = verification.module;
  const compiled = new ENGINE.Module(metered);
  return new PolicyInstance({
    compiled,
    layout,
    memoryMiB: 16,
    data: undefined,
    limits: EVALUATION_LIMITS,
    clock,
  });
}

/** A clock that has had enough after it was asked so often. */
function patient(asks: number): { readonly expectTime: () => void } {
  let left = asks;
  return {
    expectTime: () => {
      left -= 1;
      if (left < 0) throw new EvaluationFailure(Failure.Timeout, 'enough');
    },
  };
}

const question = { entrypoint: 'p/x', input: new TextEncoder().encode('{}'), nowNs: 0n };

for (const [title, changes] of Object.entries(ENDLESS)) {
  test(`asks for time: ${title}`, async (t) => {
    const bytes = await handMade(changes);
    const error = t.throws(() => load(bytes, patient(20)).evaluate(question), {
      instanceOf: EvaluationFailure,
    });
    t.is(error.reason, 'Timeout');
  });
}

/** How often the host is asked while a function is called 100,000 times. */
async function asksOf(more: string, before = ''): Promise<number> {
  let asked = 0;
  const clock = { expectTime: () => void (asked += 1) };
  const evaluate = `(local i32) ${before} (loop $l (call $f) (br_if $l (i32.ne (local.tee 7 (i32.add (local.get 7) (i32.const 1))) (i32.const 100000)))) i32.const 2048`;
  load(await handMade({ evaluate, more }), clock).evaluate(question);
  return asked;
}

test('a function takes fuel for its locals, which each call clears', async (t) => {
  const few = await asksOf('(func $f (local i64))');
  const some = await asksOf(`(func $f (local ${'i64 '.repeat(1024)}))`);
  const many = await asksOf(`(func $f (local ${'i64 '.repeat(4096)}))`);
  t.true(few < 10, `${few} with one`);
  // 64 units each time: less than two millions of locals are cleared between two questions.
  t.true(some >= 64, `${some} with 1024`);
  t.true(many >= 256, `${many} with 4096`);
});

test('a function that is short takes fuel where it is called, however often that stands there', async (t) => {
  let asked = 0;
  const clock = { expectTime: () => void (asked += 1) };
  const more = `(func $f ${'nop '.repeat(2000)})`;
  // Twenty million bytes, of which next to nothing can be taken beforehand.
  load(await handMade({ evaluate: `${'call $f '.repeat(10_000)} i32.const 2048`, more }), clock).evaluate(
    question,
  );
  t.true(asked >= 6, `${asked} times`);
});

test('code in a loop within a loop takes its fuel once for each turn, and does take it', async (t) => {
  // A thousand units in the inner one, ten thousand times: a hundred questions.
  const asked = await asksOf(
    `(func $f) (func $g (local i32) (loop $outer (loop $inner ${'nop '.repeat(32_000)}) (br_if $outer (i32.ne (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 10000)))))`,
    'call $g',
  );
  t.true(asked >= 100 && asked <= 120, `${asked} times`);
});

test('what is short does not ask', async (t) => {
  t.deepEqual(load(await handMade(), patient(0)).evaluate(question), { json: '[{"result":true}]' });
});

/** What names something that is there only after metering, by the place it has then. */
const FOREIGN: Readonly<Record<string, { readonly code: readonly number[]; readonly message: RegExp }>> = {
  'sets the fuel': { code: [0x41, 0, 0x24, 2], message: /names the global 2; there are 2/ },
  'reads the fuel': { code: [0x23, 2, 0x1a], message: /names the global 2; there are 2/ },
  'calls what asks for time': { code: [0x10, 15], message: /names the function 15; there are 15/ },
  'is of a type that is added': { code: [0x02, 0x12, 0x0b], message: /names the type 18; there are/ },
  'catches what ends it': { code: [0x06, 0x40, 0x19, 0x0b], message: /the instruction 0x06/ },
  'calls at its end': { code: [0x12, 0], message: /the instruction 0x12/ },
  waits: { code: [0xfe, 0x01, 2, 0], message: /the instruction 0xfe/ },
  'has vectors': { code: [0xfd, 0x0c], message: /the instruction 0xfd/ },
  'fills a table': { code: [0xfc, 17, 0], message: /0xfc the instruction 0x11/ },
  'uses another memory': { code: [0x3f, 1, 0x1a], message: /another memory/ },
  'has a second end': { code: [0x0b, 0x0b], message: /goes on after its end/ },
  'has no end': { code: [0x02, 0x40], message: /ends in the middle/ },
};

/** The module made by hand, with some code before all that `opa_eval` does. */
async function withCode(code: readonly number[]): Promise<Uint8Array> {
  // Nothing else has this, and it is replaced by as many bytes.
  const hole = '(drop (i64.const 81985529216486895))'.repeat(1);
  const bytes = await handMade({ evaluate: `${hole} (i32.const 2048)` });
  const text = Buffer.from(bytes).toString('latin1');
  const begin = Buffer.from([0x42, 0xef, 0x9b, 0xaf, 0xcd, 0xf8, 0xac, 0xd1, 0x91, 0x01, 0x1a]);
  const at = text.indexOf(begin.toString('latin1'));
  if (at === -1 || code.length > begin.length) throw new Error('there is no room for the code');
  const nops = Array.from({ length: begin.length - code.length }, () => 0x01);
  bytes.set([...code, ...nops], at);
  return bytes;
}

for (const [title, { code, message }] of Object.entries(FOREIGN)) {
  test(`refused, since it could not be metered: it ${title}`, async (t) => {
    const verification = verifyModule(await withCode(code));
    if (verification.kind === 'ok') return t.fail('it was taken');
    t.deepEqual(
      verification.faults.map((one) => one.reason),
      ['Malformed'],
    );
    t.regex(verification.faults[0]?.message ?? '', message);
    return undefined;
  });
}

/** The module made by hand, with one byte changed where `found` stands. */
async function withByte(
  more: string,
  { found, at, value }: { readonly found: readonly number[]; readonly at: number; readonly value: number },
): Promise<Uint8Array> {
  const bytes = await handMade({ more });
  const begin = Buffer.from(bytes).lastIndexOf(Buffer.from(found));
  if (begin === -1) throw new Error('it is not there');
  bytes[begin + at] = value;
  return bytes;
}

/** Begins with a number that is also that of the fuel, and holds one function. */
const TABLE = '(table 4 4 funcref) (elem (i32.const 2) $eval)';
const EVAL = 8;
/** The module has 15 functions; what asks for time comes after them, then what takes fuel. */
const SPEND = 16;
const NAMED: Readonly<
  Record<string, { readonly make: () => Promise<Uint8Array>; readonly message: RegExp }>
> = {
  'puts what takes fuel into its table': {
    make: () => withByte(TABLE, { found: [9, 7, 1, 0, 0x41, 2, 0x0b, 1, EVAL], at: 8, value: SPEND }),
    message: /puts the function 16 into its table, which is not there/,
  },
  'has a table with a function that is computed': {
    make: () => withByte(TABLE, { found: [9, 7, 1, 0, 0x41, 2, 0x0b, 1, EVAL], at: 3, value: 4 }),
    message: /a segment has the flags 4/,
  },
  'begins a table where the fuel says': {
    make: () => withByte(TABLE, { found: [9, 7, 1, 0, 0x41, 2, 0x0b, 1, EVAL], at: 4, value: 0x23 }),
    message: /begins with instruction 0x23, not with a whole number/,
  },
  'begins a global with the fuel': {
    make: () =>
      withByte('(global i32 (i32.const 2))', { found: [0x7f, 0, 0x41, 2, 0x0b], at: 2, value: 0x23 }),
    message: /begins with instruction 0x23, not with a whole number/,
  },
  'begins a global with a function': {
    make: () =>
      withByte('(global i32 (i32.const 16))', { found: [0x7f, 0, 0x41, SPEND, 0x0b], at: 2, value: 0xd2 }),
    message: /begins with instruction 0xd2, not with a whole number/,
  },
  'turns back the count of its loops': {
    make: () =>
      withByte('(func (param i32) (loop (local.set 0 (i32.const 42)) (br 0)))', {
        found: [0x41, 42, 0x21, 0, 0x0c],
        at: 3,
        value: 1,
      }),
    message: /names the local 1; there are 1/,
  },
  'imports a function of a type that is added': {
    make: () => withByte('', { found: [...Buffer.from('opa_abort'), 0], at: 10, value: 9 }),
    message: /a function has the type 9, which is not there|opa_abort has the signature of no function/,
  },
  'begins data where the fuel says': {
    make: () =>
      withByte('(data (i32.const 2) "x")', { found: [0, 0x41, 2, 0x0b, 1, 0x78], at: 1, value: 0x23 }),
    message: /begins with instruction 0x23, not with a whole number/,
  },
};

for (const [title, { make, message }] of Object.entries(NAMED)) {
  test(`refused, since what is added is not its own: it ${title}`, async (t) => {
    const bytes = await make();
    t.false(isValid(bytes), 'without what is added, the engine does not take it');
    t.throws(() => meterModule(bytes, parseModule(bytes)), { instanceOf: MalformedBinary, message });
    const verification = verifyModule(bytes);
    t.regex(verification.kind === 'refused' ? (verification.faults[0]?.message ?? '') : '', message);
  });
}

test('is not asked for time by a function that takes something else', async (t) => {
  const other = '(import "env" "opa_builtin1" (func (param i32) (result i32)))';
  const bytes = await handMade({ bare: true, imports: other });
  t.true(isValid(bytes));
  t.throws(() => meterModule(bytes, parseModule(bytes)), {
    instanceOf: MalformedBinary,
    message: /imports none of env\.opa_builtin0/,
  });
  const both = await handMade({ bare: true, imports: `${other} ${BUILTIN3}` });
  t.true(isValid(meterModule(both, parseModule(both))));
});

test('a module of nothing but loops is refused, not made many times as large', async (t) => {
  const bytes = await handMade({ more: `(func ${'(loop)'.repeat(60_000)})` });
  t.regex(JSON.stringify(verifyModule(bytes)), /it has \d+ bytes instead of \d+; at most \d+ are taken/);
});

const REGO = `package p
x contains [a, b, m] if {
  some a in numbers.range(1, 40)
  some b in input.list
  m := sprintf("%v-%s", [a * b, regex.replace(input.text, "[aeiou]+", "_")])
  regex.match("^[0-9]+-(h|_)", m)
}
x contains walked if { walk(input, walked) }
x contains out if { out := json.unmarshal(json.marshal(input)) }
x contains glob.match("*.example", [], input.host)`;

test('what the compiler makes answers the same, takes little more, and asks for time when it takes long', async (t) => {
  const bytes = await compileRego({ rego: REGO, entrypoints: ['p/x'] });
  const metered = meterModule(bytes, parseModule(bytes));
  t.true(metered.length < bytes.length * 1.2, `${metered.length} bytes instead of ${bytes.length}`);
  const verification = verifyModule(bytes);
  if (verification.kind === 'refused') return t.fail(JSON.stringify(verification.faults));
  const { layout } = verification.module;
  let asked = 0;
  const clock = { expectTime: () => void (asked += 1) };
  const source = { layout, memoryMiB: 64, data: undefined, limits: EVALUATION_LIMITS, clock };
  const original = new PolicyInstance({ ...source, compiled: new ENGINE.Module(bytes) });
  const changed = new PolicyInstance({ ...source, compiled: new ENGINE.Module(metered) });
  const inputs = fc.record({
    list: fc.array(fc.integer(), { maxLength: 5 }),
    text: fc.string({ maxLength: 30 }),
    host: fc.constantFrom('a.example', 'b', ''),
    more: fc.jsonValue({ maxDepth: 4 }),
  });
  fc.assert(
    fc.property(inputs, (input) => {
      const one = { ...question, input: new TextEncoder().encode(JSON.stringify(input)) };
      t.deepEqual(changed.evaluate(one), original.evaluate(one));
    }),
    { numRuns: 100 },
  );
  const list = Array.from({ length: 60 }, (_, index) => index);
  const large = { ...question, input: new TextEncoder().encode(JSON.stringify({ list, text: 'a' })) };
  const before = asked;
  original.evaluate(large);
  const builtins = asked - before;
  changed.evaluate(large);
  t.true(asked - before - builtins > builtins + 100, 'it asks also where no builtin is called');
  return undefined;
});

const compile = (bytes: Uint8Array): CompiledModule => new ENGINE.Module(bytes);

/** The engine's opinion of a module. */
const isValid = (bytes: Uint8Array): boolean => {
  try {
    compile(bytes);
    return true;
  } catch (error) {
    if (error instanceof ENGINE.CompileError) return false;
    throw error;
  }
};

/** Metered without asking the engine; undefined where it is refused. */
function tryMeter(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return meterModule(bytes, parseModule(bytes));
  } catch (error) {
    if (error instanceof MalformedBinary) return undefined;
    throw error;
  }
}

test('whatever stands in a function is refused, or is as valid after metering as before', async (t) => {
  const places = await withCode([]);
  const at = Buffer.from(places).indexOf(Buffer.alloc(11, 0x01));
  let taken = 0;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 11 }), (code) => {
      const bytes = places.slice();
      bytes.set(code, at);
      const metered = tryMeter(bytes);
      if (metered === undefined) return;
      taken += 1;
      t.is(isValid(metered), isValid(bytes), Buffer.from(bytes).toString('hex'));
      t.true(verifyModule(bytes).kind === 'refused' || isValid(bytes));
    }),
    { numRuns: 5000 },
  );
  t.true(taken > 50, `${taken} could be metered`);
});

test('what the compiler makes, with bytes changed at random, is refused, or is as valid after metering as before', async (t) => {
  const bytes = await handMade({
    more: `${ENDLESS['calls through a table']?.more} ${cascade} (func (param i64 f32 f64) (drop (i64.load offset=8 (i32.const 0))) (drop (f64.add (f64.const 1) (local.get 2))) (block (loop (br_if 1 (i32.const 0)) (br_table 0 1 (i32.const 0)))))`,
  });
  t.true(isValid(bytes));
  fc.assert(
    fc.property(fc.nat(bytes.length - 9), fc.uint8Array({ minLength: 1, maxLength: 2 }), (offset, change) => {
      const changed = bytes.slice();
      changed.set(change, 8 + Math.min(offset, bytes.length - 8 - change.length));
      const metered = tryMeter(changed);
      if (metered !== undefined)
        t.is(isValid(metered), isValid(changed), Buffer.from(changed).toString('hex'));
      t.true(verifyModule(changed).kind === 'refused' || isValid(changed));
    }),
    { numRuns: 3000 },
  );
  t.notThrows(() => tryMeter(Uint8Array.from([...bytes.subarray(0, 8), ...randomBytes(64)])));
});
