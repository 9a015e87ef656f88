// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { parseModule } from '../binary/parse.ts';
import { ENGINE } from '../engine.ts';
import { PolicyInstance } from '../instance.ts';
import { verifyModule } from '../module.ts';
import { ADDRESSES, type HandMade, handMade } from '../testing/hand-made.ts';
import { EVALUATION_LIMITS } from '../verdict.ts';
import { meterModule } from './meter.ts';
import { findShortcuts } from './shortcuts.ts';

const BUILTIN2 = '(import "env" "opa_builtin2" (func $builtin2 (param i32 i32 i32 i32) (result i32)))';
/** Functions of the host: `opa_abort` and two for builtins; and the first of those that `more` makes. */
const IMPORTED = 3;
const FIRST = IMPORTED + 13;
const OWN = '(func $own (param i32 i32) (result i32) (i32.const 7))';

/** A custom section with names of functions, as the compiler leaves one. */
function named(names: readonly (readonly [index: number, name: string])[]): readonly number[] {
  const entries = names.flatMap(([index, name]) => [index, name.length, ...Buffer.from(name)]);
  const list = [names.length, ...entries];
  const content = [4, ...Buffer.from('name'), 1, list.length, ...list];
  return [0, content.length, ...content];
}

async function moduleWith(changes: HandMade, section: readonly number[]): Promise<Uint8Array> {
  return Uint8Array.from([...(await handMade({ imports: BUILTIN2, more: OWN, ...changes })), ...section]);
}

const MATCH = named([[FIRST, 'opa_regex_match']]);

/** Where the host is not asked, and the module is as valid as before. */
const NONE: Readonly<Record<string, readonly [changes: HandMade, section: readonly number[]]>> = {
  'there are no names': [{}, []],
  'the name is another': [{}, named([[FIRST, 'opa_regex_catch']])],
  'the function takes something else': [{ more: '(func (param i32 i64) (result i32) (i32.const 7))' }, MATCH],
  'the function answers nothing': [{ more: '(func (param i32 i32))' }, MATCH],
  'the function is imported': [{}, named([[2, 'opa_regex_match']])],
  'the function is not there': [{}, named([[FIRST + 1, 'opa_regex_match']])],
  'the module has no function of the host for it': [
    {},
    named([[FIRST, 'opa_regex_find_all_string_submatch']]),
  ],
  'the function of the host takes something else': [
    { imports: '(import "env" "opa_builtin2" (func (param i32 i32 i32) (result i32)))' },
    MATCH,
  ],
  'the names are cut off': [{}, [0, 9, ...Buffer.from('\u0004name'), 1, 7, 1, FIRST]],
};

for (const [title, [changes, section]] of Object.entries(NONE)) {
  test(`has no shortcut: ${title}`, async (t) => {
    const bytes = await moduleWith(changes, section);
    const shape = parseModule(bytes);
    t.is(findShortcuts(bytes, shape).size, 0);
    t.true(ENGINE.validate(bytes));
    t.true(ENGINE.validate(meterModule(bytes, shape)));
  });
}

test('is told by its name and by what it takes', async (t) => {
  const bytes = await moduleWith({}, MATCH);
  t.deepEqual([...findShortcuts(bytes, parseModule(bytes)).keys()], [FIRST]);
});

const PATTERN = 3000;
const TEXT = 3016;

/** A number of four bytes, as the text format has it. */
function word(value: number): string {
  const bytes = [0, 8, 16, 24].map((shift) => ((value >>> shift) & 0xff).toString(16).padStart(2, '0'));
  return bytes.map((byte) => `\\${byte}`).join('');
}

/** Two texts as OPA's runtime keeps them, the bytes of which lie at 3032 and 3040; `length` is what the second says it has. */
function texts(length: number, type = 4): string {
  const content = [4, 2, 3032, 0, type, length, 3040, 0].map(word).join('');
  return `(data (i32.const ${PATTERN}) "${content}b+\\00\\00\\00\\00\\00\\00abba\\ff")`;
}

/** The module answers `true` where its host has made a value for it, and fails where its own function has answered. */
const ASKS = (pattern: number, text: number): string =>
  `(if (result i32) (i32.eq (call $own (i32.const ${pattern}) (i32.const ${text})) (i32.const 8)) (then (i32.const ${ADDRESSES.yes})) (else (i32.const ${ADDRESSES.message})))`;

const ASKED: Readonly<
  Record<string, { readonly data: string; readonly at?: readonly [number, number]; readonly byHost: boolean }>
> = {
  'two texts': { data: texts(4), byHost: true },
  'a text that the compiler has made': { data: texts(4, 8), byHost: true },
  'something else than a text': { data: texts(4, 5), byHost: false },
  'a text that is no UTF-8': { data: texts(5), byHost: false },
  'a text longer than its memory': { data: texts(0x7fff_ffff), byHost: false },
  'an address at the end of its memory': { data: texts(4), at: [65_530, TEXT], byHost: false },
  'an address beyond its memory': { data: texts(4), at: [PATTERN, -4], byHost: false },
};

for (const [title, { data, at: [pattern, text] = [PATTERN, TEXT], byHost }] of Object.entries(ASKED)) {
  test(`${byHost ? 'the host answers' : 'the module has to answer itself'}: ${title}`, async (t) => {
    const bytes = await moduleWith({ evaluate: ASKS(pattern, text), more: `${OWN} ${data}` }, MATCH);
    const verification = verifyModule(bytes);
    if (verification.kind === 'refused') return t.fail(JSON.stringify(verification.faults));
    const { layout, metered } = verification.module;
    const source = { layout, memoryMiB: 16, data: undefined, limits: EVALUATION_LIMITS };
    const instance = new PolicyInstance({ ...source, compiled: new ENGINE.Module(metered) });
    const answer = instance.evaluate({
      entrypoint: 'p/x',
      input: new TextEncoder().encode('{}'),
      nowNs: 0n,
    });
    return t.is(answer?.json, byHost ? '[{"result":true}]' : 'stop');
  });
}

test('whatever stands where names do, the module stays as valid as it was', async (t) => {
  const plain = await moduleWith({}, []);
  const section = fc.oneof(
    fc
      .uint8Array({ maxLength: 40 })
      .map((content) => [0, content.length + 5, 4, ...Buffer.from('name'), ...content]),
    fc
      .array(
        fc.tuple(
          fc.nat(FIRST + 3),
          fc.constantFrom('opa_regex_match', 'opa_regex_find_all_string_submatch', 'x'),
        ),
        { maxLength: 2 },
      )
      .map(named),
  );
  let found = 0;
  fc.assert(
    fc.property(section, (names) => {
      const bytes = Uint8Array.from([...plain, ...names]);
      const shape = parseModule(bytes);
      found += findShortcuts(bytes, shape).size;
      t.is(
        ENGINE.validate(meterModule(bytes, shape)),
        ENGINE.validate(bytes),
        Buffer.from(names).toString('hex'),
      );
    }),
    { numRuns: 2000 },
  );
  t.true(found > 10, `${found} found`);
});
