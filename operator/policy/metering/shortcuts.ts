// SPDX-License-Identifier: Apache-2.0
import { ByteReader, MalformedBinary } from '../binary/reader.ts';
import { type ModuleShape, signatureOf } from '../binary/shape.ts';
import { constant, local, OP } from './added.ts';
import { unsignedBytes } from './bytes.ts';
import { REGEX_FIND, REGEX_MATCH } from './fuel.ts';

/** A function of OPA's runtime whose host is asked before it does its work. */
export interface Shortcut {
  /** Under which number the host is asked. */
  readonly id: number;
  readonly parameters: number;
  /** The number of the function of the host. */
  readonly host: number;
}

/** What the compiler calls them. An evaluation makes all its patterns anew, and its host keeps them. */
const KNOWN: Readonly<Record<string, Omit<Shortcut, 'host'>>> = {
  opa_regex_match: { id: REGEX_MATCH, parameters: 2 },
  opa_regex_find_all_string_submatch: { id: REGEX_FIND, parameters: 3 },
};
const LENGTHS = new Set(Object.keys(KNOWN).map((name) => name.length));

const NAME_SECTION = 'name';
const NAMES_OF_FUNCTIONS = 1;
/** Length of what each binary begins with. */
const HEADER = 8;

/**
 * Those functions of a module, by their number. They are told by the names that the compiler leaves in it: whoever names another function so
 * is answered by the host in its place, which harms nobody else. A module without names has none.
 */
export function findShortcuts(bytes: Uint8Array, shape: ModuleShape): ReadonlyMap<number, Shortcut> {
  const imports = shape.imports.filter((one) => one.kind === 'function');
  const found = new Map<number, Shortcut>();
  for (const [name, index] of namedFunctions(bytes)) {
    const known = KNOWN[name];
    const host = imports.findIndex((one) => one.name === `opa_builtin${known?.parameters}`);
    if (known === undefined || host === -1 || index < imports.length) continue;
    const shortcut = { ...known, host };
    if (isLike(shape, { index, shortcut })) found.set(index, shortcut);
  }
  return found;
}

/** Whether both take and give what the compiler has them take and give, or else the module would not be valid any more. */
function isLike(
  shape: ModuleShape,
  { index, shortcut }: { readonly index: number; readonly shortcut: Shortcut },
): boolean {
  const texts = Array.from({ length: shortcut.parameters }, () => 'i32').join(',');
  return (
    signatureOf(shape, index) === `${texts}->i32` &&
    signatureOf(shape, shortcut.host) === `i32,i32,${texts}->i32`
  );
}

/** What the host answers is the answer; where that is zero, the function does as it would. `spare` is a local that nobody else has. */
export function askFirst({ id, parameters, host }: Shortcut, spare: number): readonly number[] {
  const args = Array.from({ length: parameters }, (_, index) => local(index)).flat();
  const ask = [...constant(id), ...constant(0), ...args, OP.call, ...unsignedBytes(host)];
  return [...ask, OP.localTee, ...unsignedBytes(spare), ...OP.if, ...local(spare), OP.return, OP.end];
}

/** Names that are looked for, with their functions. The engine does not care what stands there; nor does this. */
function namedFunctions(bytes: Uint8Array): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  try {
    const names = sectionOf(new ByteReader(bytes, HEADER));
    if (names === undefined) return found;
    for (let left = names.u32(); left > 0; left -= 1) {
      const index = names.u32();
      const name = names.take(names.u32());
      if (LENGTHS.has(name.length)) found.set(new TextDecoder().decode(name), index);
    }
  } catch (error) {
    if (!(error instanceof MalformedBinary)) throw error;
  }
  return found;
}

/** Where the names of functions begin. */
function sectionOf(reader: ByteReader): ByteReader | undefined {
  while (!reader.isAtEnd) {
    const id = reader.byte();
    const content = reader.part(reader.u32());
    if (id !== 0 || content.name() !== NAME_SECTION) continue;
    while (!content.isAtEnd) {
      const kind = content.byte();
      const part = content.part(content.u32());
      if (kind === NAMES_OF_FUNCTIONS) return part;
    }
  }
  return undefined;
}
