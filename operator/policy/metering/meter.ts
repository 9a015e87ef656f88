// SPDX-License-Identifier: Apache-2.0
import { ByteReader, MalformedBinary } from '../binary/reader.ts';
import { type ModuleShape, signatureOf } from '../binary/shape.ts';
import { type AddedPlaces, ADDED, constant } from './added.ts';
import { meteredBody } from './body.ts';
import { type ByteParts, joined, listSection, section, sized, unsignedBytes } from './bytes.ts';
import { FUEL } from './fuel.ts';
import { findShortcuts } from './shortcuts.ts';
import { findSites } from './sites.ts';

/** How much larger it may become: a module of nothing but loops is none of a policy's. */
const MAX_GROWTH = 2;
const MAX_ADDED = 64 * 1024;

const SECTION = { custom: 0, type: 1, function: 3, global: 6, code: 10 } as const;
/** Length of what each binary begins with. */
const HEADER = 8;
const I32 = 0x7f;
const MUTABLE = 1;
const END = 0x0b;

/**
 * The same module, which takes fuel for all that it does for long, and asks its host for time when that is used up. What it
 * answers is the same. Nothing in it is renumbered: what is added stands at the end, and the module itself cannot name it. Throws `MalformedBinary`
 * where its code cannot be understood.
 */
export function meterModule(bytes: Uint8Array, shape: ModuleShape): Uint8Array {
  const bodies = findSites(shape);
  const places = placesIn(shape);
  const shortcuts = findShortcuts(bytes, shape);
  const codes = bodies.flatMap((body, index) =>
    sized(meteredBody(shape, { index, body, places, shortcuts })),
  );
  const added: Readonly<Record<number, ByteParts>> = {
    [SECTION.type]: ADDED.map(({ type }) => type),
    [SECTION.function]: ADDED.map((_, index) => unsignedBytes(places.types + index)),
    [SECTION.global]: [[I32, MUTABLE, ...constant(FUEL), END]],
  };
  const parts: ByteParts[] = [[bytes.subarray(0, HEADER)]];
  const reader = new ByteReader(bytes, HEADER);
  while (!reader.isAtEnd) {
    const id = reader.byte();
    const content = reader.take(reader.u32());
    const more = added[id];
    if (id === SECTION.code) {
      const own = ADDED.flatMap(({ code }) => sized([[1, 1, I32, ...code(places), END]]));
      parts.push(section(id, [unsignedBytes(bodies.length + ADDED.length), ...codes, ...own]));
    } else if (more !== undefined) parts.push(listSection(id, { content, more }));
    // Names and hints are about the code as it was.
    else if (id !== SECTION.custom) parts.push(section(id, [content]));
  }
  return expectModest(bytes, joined(parts.flat()));
}

function expectModest(before: Uint8Array, after: Uint8Array): Uint8Array {
  const most = before.length * MAX_GROWTH + MAX_ADDED;
  if (after.length <= most) return after;
  throw new MalformedBinary(
    `with the marks by which its time is taken, it has ${after.length} bytes instead of ${before.length}; at most ${most} are taken`,
  );
}

function placesIn(shape: ModuleShape): AddedPlaces {
  const functions = shape.imports.filter((one) => one.kind === 'function');
  // Any of those for builtins: every module that the compiler makes imports them, if it uses any or not.
  const index = functions.findIndex(({ name }, at) => isForBuiltins(name, signatureOf(shape, at)));
  const found = functions[index];
  if (found === undefined) {
    throw new MalformedBinary(
      'it imports none of env.opa_builtin0 to env.opa_builtin4, by which its time is taken; modules made by `opa build -t wasm` do',
    );
  }
  return {
    fuel: shape.globals.length,
    types: shape.signatures.length,
    functions: functions.length + shape.functions.length,
    host: { index, parameters: 2 + Number(found.name.at(-1)) },
  };
}

/** Whether it is one, and takes what those take: its number, a context, and so many arguments as its name says. */
function isForBuiltins(name: string, signature: string | undefined): boolean {
  const [, count] = /^opa_builtin([0-4])$/.exec(name) ?? [];
  return count !== undefined && signature === `${'i32,'.repeat(Number(count) + 1)}i32->i32`;
}
