// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { createMetrics } from '../telemetry/metrics.ts';
import { type HostEvaluation, PolicyHost } from './host.ts';
import { type PolicyModule, verifyModule } from './module.ts';
import { compileModule } from './testing/compile.ts';
import { ADDRESSES, handMade, type HandMade, namesBody } from './testing/hand-made.ts';
import type { Failure, Verdict } from './verdict.ts';

/** Long enough for what ends, however busy the machine is. */
const DEADLINE_MS = 300;
const LIMITS = {
  maxDeadlineMs: DEADLINE_MS,
  loadDeadlineMs: 1000,
  maxWaitMs: 60_000,
  patienceMs: 60_000,
  budget: { msPerSecond: 1e6, burstMs: 1e9 },
};
const ENDLESS = '(loop $again br $again)';
/** Fills the first 64 KiB, so that no text in them ends, and answers with their beginning. */
const fill = (character: string): string =>
  `(memory.fill (i32.const 0) (i32.const ${character.charCodeAt(0)}) (i32.const 65536)) (i32.const 0)`;
const TRACE = { more: '(data (i32.const 8192) "trace\\00")', builtins: namesBody(8192, 7) };
const callTrace = '(call $builtin1 (i32.const 7) (i32.const 0) (i32.const 0))';
const answers = (text: string): HandMade => ({
  more: `(data (i32.const 8192) "${text.replaceAll('"', '\\"')}\\00")`,
  evaluate: '(i32.const 8192)',
});
const trace = (dump: string): HandMade => ({
  ...TRACE,
  evaluate: `${callTrace} drop (i32.const 2048)`,
  dump,
});

/** What each does, and how that ends. Where several are right, which one depends on the machine. */
const CONTAINED: Readonly<Record<string, HandMade & { readonly want: readonly Failure[] }>> = {
  'an endless loop': { evaluate: `${ENDLESS} unreachable`, want: ['Timeout'] },
  'an endless start': { more: `(func $begin ${ENDLESS}) (start $begin)`, want: ['Timeout'] },
  'a start that traps': { more: '(func $begin unreachable) (start $begin)', want: ['Trap'] },
  'memory without end': {
    evaluate: `(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable`,
    want: ['Trap'],
  },
  'calls without end': { evaluate: `(call $eval ${'(i32.const 0)'.repeat(7)})`, want: ['StackOverflow'] },
  'a call through an empty table': {
    more: '(table 1 1 funcref) (type $t (func))',
    evaluate: '(call_indirect (type $t) (i32.const 0)) (i32.const 2048)',
    want: ['Trap'],
  },
  'a division by zero': { evaluate: '(i32.div_u (i32.const 1) (i32.const 0))', want: ['Trap'] },
  'reading beyond its memory': { evaluate: '(i32.load (i32.const -1))', want: ['Trap'] },
  'an answer outside of its memory': { evaluate: '(i32.const -4)', want: ['ResultTooLarge'] },
  'an answer without an end': { evaluate: fill('x'), want: ['ResultTooLarge'] },
  'an answer of megabytes': {
    evaluate: `(drop (memory.grow (i32.const 64))) (memory.fill (i32.const 0) (i32.const 32) (i32.const 4194304)) (i32.const 0)`,
    want: ['ResultTooLarge'],
  },
  'an answer a thousand brackets deep': { ...answers('['.repeat(1000)), want: ['ResultTooLarge'] },
  'an answer that is no JSON': { ...answers('yes'), want: ['BadResult'] },
  'an answer that ends too early': { ...answers('[{"result":tr'), want: ['BadResult'] },
  'an answer that is no list': { ...answers('{"result":true}'), want: ['BadResult'] },
  'two answers': { ...answers('[{"result":true},{"result":false}]'), want: ['BadResult'] },
  'an answer without a result': { ...answers('[{}]'), want: ['BadResult'] },
  'an empty answer': { ...answers(''), want: ['BadResult'] },
  'giving up': { evaluate: `(call $abort (i32.const ${ADDRESSES.message})) (i32.const 0)`, want: ['Abort'] },
  'giving up with a message without an end': {
    evaluate: `(call $abort (block (result i32) ${fill('x')})) (i32.const 0)`,
    want: ['Abort'],
  },
  'giving up outside of its memory': {
    evaluate: '(call $abort (i32.const -1)) (i32.const 0)',
    want: ['Abort'],
  },
  'a builtin that it did not name': {
    evaluate: '(call $builtin1 (i32.const 9) (i32.const 0) (i32.const 0))',
    want: ['Builtin'],
  },
  'an argument that is no value': { ...trace('(i32.const 2100)'), want: ['BadResult'] },
  'an argument without an end': { ...trace(fill('1')), want: ['Builtin'] },
  'an argument that is only brackets': {
    ...trace('(memory.fill (i32.const 10000) (i32.const 91) (i32.const 20000)) (i32.const 10000)'),
    want: ['BadResult'],
  },
  'a place for a result outside of its memory': {
    ...TRACE,
    more: `${TRACE.more} (data (i32.const 9000) "\\"note\\"\\00")`,
    evaluate: `${callTrace} drop (i32.const 2048)`,
    dump: '(i32.const 9000)',
    malloc: '(i32.const -1)',
    want: ['OutOfMemory'],
  },
  'calling back and forth without end': { ...trace(callTrace), want: ['StackOverflow'] },
  'calling builtins without end': {
    ...TRACE,
    more: `${TRACE.more} (data (i32.const 9000) "\\"note\\"\\00")`,
    dump: '(i32.const 9000)',
    evaluate: `(loop $again ${callTrace} drop br $again) unreachable`,
    want: ['Timeout'],
  },
  'a heap outside of its memory': { heap: '(i32.const -1)', want: ['OutOfMemory'] },
};

async function verified(changes: HandMade): Promise<PolicyModule> {
  const verification = verifyModule(await handMade(changes));
  if (verification.kind === 'refused') throw new Error(JSON.stringify(verification.faults));
  return verification.module;
}

function said(verdict: Verdict): unknown {
  return verdict.kind === 'failed' ? verdict.reason : verdict.kind === 'value' ? verdict.value : verdict.kind;
}

const metrics = createMetrics();
const host = new PolicyHost({
  platformWorkers: 1,
  tenantWorkers: 2,
  spareWorkers: 1,
  limits: LIMITS,
  metrics,
});
test.after.always(() => host.close());
const asked = {
  entrypoint: 'p/x',
  nowNs: 0n,
  deadlineMs: DEADLINE_MS,
  memoryMiB: 16,
  input: new TextEncoder().encode('{}'),
};
/** How many workers had to be ended. */
async function ended(): Promise<number> {
  const counts = (await metrics.text()).matchAll(/^nexusos_policy_worker_restarts_total\{.*\} (\d+)$/gm);
  return Array.from(counts, ([, count]) => Number(count)).reduce((sum, one) => sum + one, 0);
}
const ask = (changes: Partial<HostEvaluation> & Pick<HostEvaluation, 'module'>): Promise<Verdict> =>
  host.evaluate({ ...asked, tenant: 'hostile', ...changes });

test.serial('a module made by hand answers like a compiled one', async (t) => {
  await host.ready();
  t.is(said(await ask({ module: await verified({}) })), true);
});

for (const [title, { want, ...changes }] of Object.entries(CONTAINED)) {
  test.serial(`contained, while others are answered: ${title}`, async (t) => {
    const [module, good] = await Promise.all([verified(changes), verified({})]);
    const before = await ended();
    const hostile = ask({ module });
    const neighbours = await Promise.all([
      ask({ module: good, tenant: 'neighbour' }),
      ask({ module: good, tenant: undefined, subject: 'neighbour' }),
    ]);
    t.deepEqual(neighbours.map(said), [true, true]);
    const verdict = await hostile;
    t.true(want.includes(said(verdict) as Failure), JSON.stringify(verdict));
    t.is(await ended(), before, 'it was stopped inside, and its worker lives');
    t.true(verdict.kind === 'failed' && verdict.message.length < 700, 'what it says is short');
    t.is(said(await ask({ module: good })), true, 'the same tenant goes on');
  });
}

test.serial('what cannot be loaded is told when it is prepared', async (t) => {
  const module = await verified({ more: `(func $begin ${ENDLESS}) (start $begin) (func $other)` });
  const prepared = await host.prepare({ module, memoryMiB: 16, tenant: 'hostile' });
  t.like(prepared, { kind: 'refused', reason: 'Timeout' });
  const data = { digest: 'd', bytes: new TextEncoder().encode('{') };
  const deaf = await verified({ parse: '(i32.const 0)' });
  t.like(await host.prepare({ module: deaf, data, memoryMiB: 16, tenant: 'hostile' }), {
    kind: 'refused',
    reason: 'BadResult',
  });
});

test.serial('input that is too large or too deep is not handed over', async (t) => {
  const module = await verified({});
  const deep = new TextEncoder().encode('['.repeat(200) + ']'.repeat(200));
  t.is(said(await ask({ module, input: deep })), 'InputTooLarge');
  t.is(said(await ask({ module, input: new Uint8Array(9 * 1024 * 1024) })), 'InputTooLarge');
});

/** Rego that the real compiler takes. */
const REGO: Readonly<Record<string, { readonly rule: string; readonly want: readonly Failure[] }>> = {
  'a list of a billion': {
    rule: 'x := count(numbers.range(1, 1000000000))',
    want: ['OutOfMemory', 'Timeout', 'Trap'],
  },
  'a text that doubles': {
    rule: 'x := count(concat("", [s | some i in numbers.range(1, 3000); s := sprintf("%100000d", [i])]))',
    want: ['OutOfMemory', 'Timeout', 'Trap', 'Builtin'],
  },
  'an object that doubles by patches': {
    rule: 'x := count(json.patch({"a": [1]}, [p | some i in numbers.range(1, 40); p := {"op": "add", "path": "/a", "value": 1}])) + count(json.patch({"a": {}}, array.flatten([[{"op": "copy", "from": "/a", "path": sprintf("/b%d", [i])}, {"op": "move", "from": sprintf("/b%d", [i]), "path": sprintf("/a/%d", [i])}] | some i in numbers.range(1, 40)])))',
    want: ['OutOfMemory', 'Timeout', 'Builtin', 'Lost'],
  },
  'a document of YAML that stands for itself many times': {
    rule: `x := count(yaml.unmarshal("${['a: &a [x,x,x,x,x,x,x,x,x]', ...'bcdefghi'.split('').map((name, index) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefgh'[index]}`).join(',')}]`)].join('\\n')}"))`,
    want: ['OutOfMemory', 'Timeout', 'Builtin'],
  },
  'a search in every order': {
    rule: 'x := count([1 | some a in numbers.range(1, 900); some b in numbers.range(1, 900); some c in numbers.range(1, 900); a * b == c + 1000000])',
    want: ['Timeout', 'OutOfMemory'],
  },
};

for (const [title, { rule, want }] of Object.entries(REGO)) {
  test.serial(`contained, as Rego: ${title}`, async (t) => {
    const module = await compileModule({ rego: `package p\n${rule}`, entrypoints: ['p/x'] });
    const verdict = await ask({ module });
    t.true(want.includes(said(verdict) as Failure), JSON.stringify(verdict));
    t.is(said(await ask({ module: await verified({}) })), true);
  });
}

test.serial('memory that modules have taken comes back', async (t) => {
  const module = await verified({
    evaluate: `(drop (memory.grow (i32.const 900))) (memory.fill (i32.const 65536) (i32.const 1) (i32.const 50000000)) (i32.const 2048)`,
  });
  const limits = { ...LIMITS, maxDeadlineMs: 5000 };
  const patient = new PolicyHost({ platformWorkers: 0, tenantWorkers: 1, spareWorkers: 0, limits, metrics });
  t.teardown(() => patient.close());
  const before = process.memoryUsage.rss();
  for (let round = 0; round < 40; round += 1) {
    const wide = { ...asked, module, memoryMiB: 64, deadlineMs: 5000, tenant: 'hostile' };
    t.is(said(await patient.evaluate(wide)), true);
  }
  const grownMiB = (process.memoryUsage.rss() - before) / 1024 / 1024;
  t.true(grownMiB < 700, `grown by ${grownMiB} MiB after 40 times 57 MiB`);
});
