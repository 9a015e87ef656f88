// SPDX-License-Identifier: Apache-2.0
import { ByteReader, MalformedBinary } from '../binary/reader.ts';
import { bodyOf, type ModuleShape } from '../binary/shape.ts';
import { type ByteParts, byteParts, listSection, section, signedBytes, unsignedBytes } from './bytes.ts';
import { findSites, type Site } from './sites.ts';

/** Under this number the host is asked, by any of the functions for builtins, whether there is time left. No builtin has one below zero. */
export const TIME_CHECK = -1;

/** Units until the host is asked again: a tenth of a millisecond of usual code, two of the worst. */
export const FUEL = 20_000;
/** So many bytes of memory are filled or copied for one unit. */
const FILL_SHIFT = 8;
const FUEL_OF_GROWTH = 512;
/** How much larger it may become: a module of nothing but loops is none of a policy's. */
const MAX_GROWTH = 2;
const MAX_ADDED = 64 * 1024;

const SECTION = { type: 1, function: 3, global: 6, code: 10 } as const;
const CUSTOM = 0;
/** Length of what each binary begins with. */
const HEADER = 8;
const OP = {
  if: [0x04, 0x40],
  end: [0x0b],
  call: 0x10,
  localGet: 0x20,
  globalGet: 0x23,
  globalSet: 0x24,
  i32Const: 0x41,
  i32LtS: [0x48],
  i32Sub: [0x6b],
  i32ShrU: [0x76],
  grow: [0x40, 0],
  fill: [0xfc, 11, 0],
  copy: [0xfc, 10, 0, 0],
} as const;
const I32 = 0x7f;
const FUNCTION = 0x60;

/** Where what is appended lies. */
interface Places {
  readonly fuel: number;
  /** Types: of nothing, of three numbers, of one for one. */
  readonly types: readonly [number, number, number];
  readonly functions: {
    readonly ask: number;
    readonly fill: number;
    readonly copy: number;
    readonly grow: number;
  };
  readonly host: { readonly index: number; readonly parameters: number };
}

/**
 * The same module, which takes fuel for all that it does for long, and asks its host for time when that is used up. What it
 * answers is the same. Nothing in it is renumbered: what is added stands at the end, and the module itself cannot name it. Throws `MalformedBinary`
 * where its code cannot be understood.
 */
export function meterModule(bytes: Uint8Array, shape: ModuleShape): Uint8Array {
  const sites = findSites(shape);
  const places = placesIn(shape);
  const added: Readonly<Record<number, () => ByteParts>> = {
    [SECTION.type]: () => typesOf(),
    [SECTION.function]: () => {
      const [nothing, three, one] = places.types;
      return [nothing, three, three, one].map(unsignedBytes);
    },
    [SECTION.global]: () => [[I32, 1, ...constant(FUEL), ...OP.end]],
  };
  const parts: ByteParts[] = [[bytes.subarray(0, HEADER)]];
  const reader = new ByteReader(bytes, HEADER);
  while (!reader.isAtEnd) {
    const id = reader.byte();
    const content = reader.take(reader.u32());
    const more = added[id];
    // Names and hints are about the code as it was.
    if (id === CUSTOM) continue;
    else if (id === SECTION.code) parts.push(codeOf(shape, { sites, places }));
    else if (more !== undefined) parts.push(listSection(id, { content, more: more() }));
    else parts.push(section(id, [content]));
  }
  return expectModest(bytes, byteParts(parts.flat()));
}

function expectModest(before: Uint8Array, after: Uint8Array): Uint8Array {
  const most = before.length * MAX_GROWTH + MAX_ADDED;
  if (after.length <= most) return after;
  throw new MalformedBinary(
    `with the marks by which its time is taken, it has ${after.length} bytes instead of ${before.length}; at most ${most} are taken`,
  );
}

function placesIn(shape: ModuleShape): Places {
  const types = shape.signatures.length;
  const first = shape.imports.filter((one) => one.kind === 'function').length + shape.functions.length;
  return {
    fuel: shape.globals.length,
    types: [types, types + 1, types + 2],
    functions: { ask: first, fill: first + 1, copy: first + 2, grow: first + 3 },
    host: hostFunction(shape),
  };
}

/** Any of those for builtins: every module that the compiler makes imports them, if it uses any or not. */
function hostFunction(shape: ModuleShape): Places['host'] {
  const functions = shape.imports.filter((one) => one.kind === 'function');
  const index = functions.findIndex(({ name }) => /^opa_builtin[0-4]$/.test(name));
  const found = functions[index];
  if (found === undefined) {
    throw new MalformedBinary(
      'it imports none of env.opa_builtin0 to env.opa_builtin4, by which its time is taken; modules made by `opa build -t wasm` do',
    );
  }
  return { index, parameters: 2 + Number(found.name.at(-1)) };
}

function typesOf(): ByteParts {
  return [
    [FUNCTION, 0, 0],
    [FUNCTION, 3, I32, I32, I32, 0],
    [FUNCTION, 1, I32, 1, I32],
  ];
}

function codeOf(
  shape: ModuleShape,
  { sites, places }: { readonly sites: readonly (readonly Site[])[]; readonly places: Places },
): ByteParts {
  const imported = places.functions.ask - shape.functions.length;
  const bodies = sites.flatMap((ofBody, index) => {
    const body = bodyOf(shape, imported + index) ?? new Uint8Array();
    return sized(ofBody.length === 0 ? [body] : withSites(body, ofBody, places));
  });
  const own = functionsOf(places);
  return section(SECTION.code, [
    unsignedBytes(sites.length + own.length),
    ...bodies,
    ...own.flatMap((one) => sized([[0, ...one, ...OP.end]])),
  ]);
}

function withSites(body: Uint8Array, sites: readonly Site[], places: Places): ByteParts {
  const parts: (Uint8Array | readonly number[])[] = [];
  let from = 0;
  for (const site of sites) {
    parts.push(body.subarray(from, site.at));
    from = site.at;
    if (site.kind === 'take') parts.push(take(constant(site.fuel), places));
    else {
      parts.push([OP.call, ...unsignedBytes(places.functions[site.kind])]);
      from += site.length;
    }
  }
  return [...parts, body.subarray(from)];
}

/** The functions that are added: one asks the host, the others do what they are named after. */
function functionsOf(places: Places): readonly (readonly number[])[] {
  const { parameters, index } = places.host;
  const none = Array.from({ length: parameters - 1 }, () => constant(0)).flat();
  const ask = [...constant(TIME_CHECK), ...none, OP.call, ...unsignedBytes(index), ...setFuel(places)];
  const local = (number: number): readonly number[] => [OP.localGet, number];
  const bytes = [...local(2), ...constant(FILL_SHIFT), ...OP.i32ShrU];
  const three = [...local(0), ...local(1), ...local(2)];
  return [
    ask,
    [...take(bytes, places), ...three, ...OP.fill],
    [...take(bytes, places), ...three, ...OP.copy],
    [...take(constant(FUEL_OF_GROWTH), places), ...local(0), ...OP.grow],
  ];
}

/** Takes as much as `units` computes, and asks for more where nothing is left. Leaves the stack as it was. */
function take(units: readonly number[], places: Places): readonly number[] {
  const get = [OP.globalGet, ...unsignedBytes(places.fuel)];
  const ask = [OP.call, ...unsignedBytes(places.functions.ask)];
  const spend = [...get, ...units, ...OP.i32Sub, ...setFuel(places)];
  return [...spend, ...get, ...constant(0), ...OP.i32LtS, ...OP.if, ...ask, ...OP.end];
}

function setFuel({ fuel }: Places): readonly number[] {
  return [OP.globalSet, ...unsignedBytes(fuel)];
}

function constant(value: number): readonly number[] {
  return [OP.i32Const, ...signedBytes(value)];
}

function sized(parts: ByteParts): ByteParts {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return [unsignedBytes(length), ...parts];
}
