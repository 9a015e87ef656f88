// SPDX-License-Identifier: Apache-2.0
import { signedBytes, unsignedBytes } from './bytes.ts';
import { FILL_SHIFT, FUEL_OF_GROWTH, TIME_CHECK } from './fuel.ts';

/** Where what is added to a module lies. */
export interface AddedPlaces {
  /** The global with what is left of the fuel. */
  readonly fuel: number;
  /** The first of the types, and of the functions, that are added. */
  readonly types: number;
  readonly functions: number;
  /** The function of the host that is asked for time. */
  readonly host: { readonly index: number; readonly parameters: number };
}

/** One function that is added. */
export interface AddedFunction {
  readonly name: 'ask' | 'spend' | 'grow' | 'fill' | 'copy';
  readonly type: readonly number[];
  readonly code: (places: AddedPlaces) => readonly number[];
}

/** The instructions that are added. */
export const OP = {
  if: [0x04, 0x40],
  end: 0x0b,
  return: 0x0f,
  call: 0x10,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  i32Const: 0x41,
  i32LtS: 0x48,
  i32Sub: 0x6b,
  i32ShrU: 0x76,
} as const;
const MEMORY = { grow: [0x40, 0], fill: [0xfc, 11, 0], copy: [0xfc, 10, 0, 0] } as const;
const I32 = 0x7f;
const FUNCTION = 0x60;
const THREE = [...local(0), ...local(1), ...local(2)];
/** What the last of three arguments says, in units. */
const DONE = [...local(2), ...constant(FILL_SHIFT), OP.i32ShrU];

/** The functions that are added, in their order; each has a type of its own. */
export const ADDED: readonly AddedFunction[] = [
  { name: 'ask', type: [FUNCTION, 0, 0], code: askHost },
  { name: 'spend', type: [FUNCTION, 1, I32, 0], code: (places) => take(local(0), { places, left: 0 }) },
  {
    name: 'grow',
    type: [FUNCTION, 1, I32, 1, I32],
    code: (places) => [...take(constant(FUEL_OF_GROWTH), { places, left: 1 }), ...local(0), ...MEMORY.grow],
  },
  {
    name: 'fill',
    type: [FUNCTION, 3, I32, I32, I32, 0],
    code: (places) => [...take(DONE, { places, left: 3 }), ...THREE, ...MEMORY.fill],
  },
  {
    name: 'copy',
    type: [FUNCTION, 3, I32, I32, I32, 0],
    code: (places) => [...take(DONE, { places, left: 3 }), ...THREE, ...MEMORY.copy],
  },
];

/**
 * Takes as much as `units` computes, and asks for more where nothing is left. Leaves the stack as it was; `left` is a local to remember in
 * what is left, which is quicker than reading the global again.
 */
export function take(
  units: readonly number[],
  { places, left }: { readonly places: AddedPlaces; readonly left: number },
): readonly number[] {
  const spend = [OP.globalGet, ...unsignedBytes(places.fuel), ...units, OP.i32Sub];
  const keep = [OP.localTee, ...unsignedBytes(left), ...setFuel(places), ...local(left)];
  return [...spend, ...keep, ...constant(0), OP.i32LtS, ...OP.if, ...callAdded('ask', places), OP.end];
}

/** Calls one of the functions that are added. */
export function callAdded(name: AddedFunction['name'], { functions }: AddedPlaces): readonly number[] {
  return [OP.call, ...unsignedBytes(functions + ADDED.findIndex((one) => one.name === name))];
}

/** Puts a number on the stack. */
export function constant(value: number): readonly number[] {
  return [OP.i32Const, ...signedBytes(value)];
}

/** Puts a local on the stack. */
export function local(index: number): readonly number[] {
  return [OP.localGet, ...unsignedBytes(index)];
}

/** The host throws where there is no time left; what it answers is the new fuel. */
function askHost(places: AddedPlaces): readonly number[] {
  const { parameters, index } = places.host;
  const none = Array.from({ length: parameters - 1 }, () => constant(0)).flat();
  return [...constant(TIME_CHECK), ...none, OP.call, ...unsignedBytes(index), ...setFuel(places)];
}

function setFuel({ fuel }: AddedPlaces): readonly number[] {
  return [OP.globalSet, ...unsignedBytes(fuel)];
}
