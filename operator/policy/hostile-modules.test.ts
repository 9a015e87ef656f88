// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type ModuleFault, verifyModule } from './module.ts';
import { ADDRESSES, handMade, namesBody, type HandMade } from './testing/hand-made.ts';

/** What is refused before any of it runs. */
const REFUSED: Readonly<
  Record<string, HandMade & { readonly reason: ModuleFault; readonly message: RegExp }>
> = {
  'a function of WASI': {
    imports: '(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))',
    reason: 'Import',
    message: /function wasi_snapshot_preview1\.random_get; policies are given env\.memory/,
  },
  'a function of its host by another name': {
    imports: '(import "env" "opa_http_send" (func (param i32)))',
    reason: 'Import',
    message: /function env\.opa_http_send/,
  },
  'a name that every object has': {
    imports: '(import "env" "constructor" (func (param i32)))',
    reason: 'Import',
    message: /function env\.constructor/,
  },
  'a global of its host': {
    imports: '(import "env" "g" (global i32))',
    reason: 'Import',
    message: /global env\.g/,
  },
  'a table of its host': {
    imports: '(import "env" "t" (table 1 funcref))',
    reason: 'Import',
    message: /table env\.t/,
  },
  'a function of the ABI with another signature': {
    imports: '(import "env" "opa_builtin2" (func (param i32) (result i64)))',
    reason: 'Import',
    message: /env\.opa_builtin2 has the signature i32->i64; OPA's ABI has i32,i32,i32,i32->i32/,
  },
  'a memory under another name': {
    memory: '(import "env" "memory" (memory 1)) (import "env" "mine" (memory 1))',
    reason: 'Import',
    message: /memory env\.mine/,
  },
  'a memory of its own': {
    memory: '',
    more: '(memory 1)',
    reason: 'Memory',
    message: /imports 0 memories and has 1 of its own/,
  },
  'two memories': {
    more: '(memory 1)',
    reason: 'Memory',
    message: /imports 1 memories and has 1 of its own/,
  },
  'a memory that threads share': {
    memory: '(import "env" "memory" (memory 1 2 shared))',
    reason: 'Memory',
    message: /shared between threads/,
  },
  'a memory of 64 bits': {
    memory: '(import "env" "memory" (memory i64 1))',
    evaluate: '(i32.const 2048)',
    reason: 'Malformed',
    message: /segment begins with instruction|a plain one/,
  },
  'a memory that begins too large': {
    memory: '(import "env" "memory" (memory 65000))',
    reason: 'TooLarge',
    message: /65000 pages of memory to begin with; at most 256/,
  },
  'a table without a maximum': {
    more: '(table 1 funcref)',
    reason: 'TooLarge',
    message: /has no maximum; it needs one of at most/,
  },
  'a table that is huge': {
    more: '(table 10000000 10000000 funcref)',
    reason: 'TooLarge',
    message: /maximum of 10000000/,
  },
  'two tables': {
    more: '(table 1 1 funcref) (table 1 1 funcref)',
    reason: 'TooLarge',
    message: /2 tables; at most 1/,
  },
  'a table of anything': {
    more: '(table 1 1 externref)',
    reason: 'Malformed',
    message: /externref; only tables of functions/,
  },
  'data beyond its memory': {
    more: '(data (i32.const -16) "0123456789")',
    reason: 'Segment',
    message: /data would be put from 4294967280/,
  },
  'functions beyond its table': {
    more: '(table 1 1 funcref) (elem (i32.const 1) func $eval)',
    reason: 'Segment',
    message: /functions of the table would be put from 1 to 2; there is room up to 1/,
  },
  'passive data': { more: '(data "later")', reason: 'Malformed', message: /flags 1/ },
  'exceptions of its own': { more: '(tag $t)', reason: 'Malformed', message: /a section has the kind 13/ },
  'another signature of opa_eval': {
    signature: '(param i32) (result i32)',
    reason: 'Export',
    message: /opa_eval has the signature i32->i32; OPA's ABI has i32,i32,i32,i32,i32,i32,i32->i32/,
  },
  'no version of the ABI': { abi: '', reason: 'Abi', message: /tells no version/ },
  'an ABI of old': {
    abi: '(global (export "opa_wasm_abi_version") i32 (i32.const 1)) (global (export "opa_wasm_abi_minor_version") i32 (i32.const 1))',
    reason: 'Abi',
    message: /tells version 1\.1/,
  },
  'a version that may change': {
    abi: '(global (export "opa_wasm_abi_version") (mut i32) (i32.const 1)) (global (export "opa_wasm_abi_minor_version") i32 (i32.const 3))',
    reason: 'Abi',
    message: /tells no version/,
  },
  'builtins that are computed': {
    builtins: '(i32.add (i32.const 1) (i32.const 2))',
    reason: 'Builtin',
    message: /its code is not what the compiler of Rego writes/,
  },
  'builtins that depend on whether they were asked before': {
    more: '(global $asked (mut i32) (i32.const 0))',
    builtins: '(local i32) global.get $asked if call $abortion end call $object local.set 0 local.get 0',
    imports: '',
    reason: 'Builtin',
    message: /compiler of Rego/,
  },
  'a name outside of its data': {
    builtins: namesBody(60_000, 0),
    reason: 'Builtin',
    message: /a name lies at 60000, where there are no data/,
  },
  'a name without an end': {
    more: `(data (i32.const 8192) "${'x'.repeat(3000)}")`,
    builtins: namesBody(8192, 0),
    reason: 'Builtin',
    message: /longer than 1024 bytes/,
  },
  'a builtin with a number beyond all': {
    builtins: namesBody(ADDRESSES.builtin, 2 ** 40),
    reason: 'Builtin',
    message: /has the number 1099511627776/,
  },
  'a builtin that is on no list': {
    more: '(data (i32.const 8192) "http.send\\00")',
    builtins: namesBody(8192, 0),
    reason: 'Builtin',
    message: /uses http\.send, which packs may not/,
  },
  'a builtin by a name that every object has': {
    more: '(data (i32.const 8192) "__proto__\\00")',
    builtins: namesBody(8192, 0),
    reason: 'Builtin',
    message: /uses __proto__/,
  },
  'waiting for a thread': {
    evaluate: '(memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))',
    reason: 'Malformed',
    message: /the instruction 0xfe .* which the compiler of Rego does not write/,
  },
  'catching the end of its evaluation': {
    evaluate: `(try (do (call $abort (i32.const ${ADDRESSES.message}))) (catch_all)) (i32.const 2048)`,
    reason: 'Malformed',
    message: /the instruction 0x06 .* which the compiler of Rego does not write/,
  },
  'no function of its host by which its time could be taken': {
    bare: true,
    reason: 'Malformed',
    message: /imports none of env\.opa_builtin0 to env\.opa_builtin4/,
  },
  'a function with very many locals': {
    more: `(func (local ${'i64 '.repeat(4097)}))`,
    reason: 'Malformed',
    message: /function 15: it has 4097 locals; at most 4096 are taken/,
  },
  'a loop that moves very many values at each turn': {
    more: `(type $wide (func (param ${'i64 '.repeat(17)}))) (func (type $wide) ${Array.from({ length: 17 }, (_, index) => `local.get ${index} `).join('')} (loop (type $wide) i64.const 0 br 0))`,
    reason: 'Malformed',
    message: /a block with more than 16 parameters and results/,
  },
  'code that the engine would not take': {
    evaluate: '(i64.const 2048)',
    reason: 'Malformed',
    message: /it is not valid WebAssembly/,
  },
  'no entry point': {
    entrypoints: '(local i32) call $object local.set 0 local.get 0',
    reason: 'Entrypoint',
    message: /has no entry point/,
  },
};

for (const [title, { reason, message, ...changes }] of Object.entries(REFUSED)) {
  test(`refused before it runs: ${title}`, async (t) => {
    const more =
      changes.builtins?.includes('$abortion') === true ? { more: `${changes.more} (func $abortion)` } : {};
    const verification = verifyModule(await handMade({ ...changes, ...more }));
    if (verification.kind === 'ok') return t.fail('it was taken');
    const found = verification.faults.find((one) => one.reason === reason);
    t.regex(found?.message ?? JSON.stringify(verification.faults), message);
    return undefined;
  });
}

test('the module that the others differ from is taken', async (t) => {
  t.is(verifyModule(await handMade()).kind, 'ok');
});

test('any byte of a module may be wrong: it is taken or refused, and nothing else happens', async (t) => {
  const bytes = await handMade();
  for (let at = 0; at < bytes.length; at += 1) {
    for (const value of [0x00, 0x7f, 0x80, 0xff]) {
      const changed = bytes.slice();
      changed[at] = value;
      t.notThrows(() => verifyModule(changed), `byte ${at} is ${value}`);
    }
  }
});

test('lists that claim to be endless are refused before they are read', (t) => {
  const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  for (const section of [1, 2, 3, 7, 10, 11]) {
    const bytes = Uint8Array.from([...header, section, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    const verification = verifyModule(bytes);
    t.regex(JSON.stringify(verification), /longer than what is left/);
  }
});
