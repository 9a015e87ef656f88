// SPDX-License-Identifier: Apache-2.0
import { ByteReader, MalformedBinary } from './reader.ts';
import type { ExportShape, ImportShape, MemoryShape, ModuleShape, SegmentShape, SizeRange } from './shape.ts';
import { type GlobalShape, VALUE_TYPES, type ValueType } from './shape.ts';

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const EXPORT_KINDS = ['function', 'table', 'memory', 'global', 'tag'] as const;
const CUSTOM_SECTION = 0;
/** In the order they must have; 12 (how many data segments there are) stands before the code. */
const ORDER = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];

const OPCODES = { end: 0x0b, i32Const: 0x41, i64Const: 0x42 } as const;

type Draft = { -readonly [Key in keyof ModuleShape]: ModuleShape[Key] };

const SECTIONS: Readonly<Record<number, (reader: ByteReader, draft: Draft) => void>> = {
  1: (reader, draft) => void (draft.signatures = reader.list(readSignature)),
  2: (reader, draft) => void (draft.imports = reader.list(readImport)),
  3: (reader, draft) => void (draft.functions = reader.list((one) => one.u32())),
  4: (reader, draft) => void (draft.tables = reader.list(readTable)),
  5: (reader, draft) => void (draft.memories = reader.list(readMemory)),
  6: (reader, draft) => void (draft.globals = reader.list(readGlobal)),
  7: (reader, draft) => void (draft.exports = reader.list(readExport)),
  8: (reader, draft) => void (draft.start = reader.u32()),
  9: (reader, draft) => void (draft.elements = reader.list(readElements)),
  10: (reader, draft) => void (draft.bodies = reader.list((one) => one.take(one.u32()))),
  11: (reader, draft) => void (draft.data = reader.list(readData)),
  12: (reader) => void reader.u32(),
};

/**
 * Reads all of a binary but the instructions in its functions. Throws `MalformedBinary` on what is not a module, or
 * uses what no compiler of policies does (tags, types of the garbage collector, passive segments): what is not understood here must not
 * be run.
 */
export function parseModule(bytes: Uint8Array): ModuleShape {
  const reader = new ByteReader(bytes);
  if (MAGIC.some((byte) => reader.byte() !== byte)) {
    throw new MalformedBinary('it does not begin with the eight bytes of a WebAssembly module, version 1');
  }
  const draft: Draft = {
    signatures: [],
    imports: [],
    functions: [],
    tables: [],
    memories: [],
    globals: [],
    exports: [],
    start: undefined,
    elements: [],
    bodies: [],
    data: [],
  };
  let place = -1;
  while (!reader.isAtEnd) {
    place = readSection(reader, draft, place);
  }
  if (draft.bodies.length !== draft.functions.length) {
    throw new MalformedBinary(
      `it declares ${draft.functions.length} functions, and has code for ${draft.bodies.length}`,
    );
  }
  return draft;
}

/** Reads one section into the draft; how far that is in the order of sections. */
function readSection(reader: ByteReader, draft: Draft, after: number): number {
  const id = reader.byte();
  const content = reader.part(reader.u32());
  if (id === CUSTOM_SECTION) return after;
  const read = SECTIONS[id];
  if (read === undefined)
    throw new MalformedBinary(`a section has the kind ${id}, which policies have no use for`);
  const place = ORDER.indexOf(id);
  if (place <= after) throw new MalformedBinary(`the section of kind ${id} is there twice, or out of order`);
  read(content, draft);
  if (!content.isAtEnd) throw new MalformedBinary(`the section of kind ${id} is longer than its content`);
  return place;
}

function readSignature(reader: ByteReader): string {
  const form = reader.byte();
  if (form !== 0x60)
    throw new MalformedBinary(`a type has the form 0x${form.toString(16)}; only functions have types here`);
  const parameters = reader.list(readValueType);
  return `${parameters.join(',')}->${reader.list(readValueType).join(',')}`;
}

function readValueType(reader: ByteReader): ValueType {
  const code = reader.byte();
  const type = VALUE_TYPES[code];
  if (type === undefined)
    throw new MalformedBinary(`0x${code.toString(16)} is not a type of values known here`);
  return type;
}

function readImport(reader: ByteReader): ImportShape {
  const from = { module: reader.name(), name: reader.name() };
  const kind = readKind(reader);
  if (kind === 'function') return { ...from, kind, type: reader.u32() };
  if (kind === 'memory') return { ...from, kind, memory: readMemory(reader) };
  if (kind === 'table') readTable(reader);
  else readMark(reader);
  return { ...from, kind };
}

/** What says more of a global or a tag: a type or a form, and a number. */
function readMark(reader: ByteReader): void {
  reader.byte();
  reader.u32();
}

function readExport(reader: ByteReader): ExportShape {
  return { name: reader.name(), kind: readKind(reader), index: reader.u32() };
}

function readKind(reader: ByteReader): ExportShape['kind'] {
  const code = reader.byte();
  const kind = EXPORT_KINDS[code];
  if (kind === undefined) throw new MalformedBinary(`${code} is not a kind of imports and exports`);
  return kind;
}

function readTable(reader: ByteReader): SizeRange {
  const type = readValueType(reader);
  if (type !== 'funcref')
    throw new MalformedBinary(`a table holds ${type}; only tables of functions are known here`);
  const { isPlain, ...range } = readMemory(reader);
  if (!isPlain) throw new MalformedBinary('a table is shared, or addressed by 64 bits');
  return range;
}

function readMemory(reader: ByteReader): MemoryShape {
  const flags = reader.byte();
  if (flags > 7)
    throw new MalformedBinary(`0x${flags.toString(16)} are not flags of a memory or a table known here`);
  const isWide = (flags & 4) !== 0;
  const size = (): number => (isWide ? Number(reader.signed()) : reader.u32());
  const min = size();
  const max = (flags & 1) !== 0 ? size() : undefined;
  return { isPlain: (flags & 6) === 0, min, max };
}

function readGlobal(reader: ByteReader): GlobalShape {
  const type = readValueType(reader);
  const isMutable = reader.byte() === 1;
  return { type, isMutable, init: readConstant(reader) };
}

/** A number that is written down; what else may stand in its place is refused. */
function readConstant(reader: ByteReader): bigint {
  const opcode = reader.byte();
  if (opcode !== OPCODES.i32Const && opcode !== OPCODES.i64Const) {
    throw new MalformedBinary(
      `a global or a segment begins with instruction 0x${opcode.toString(16)}, not with a whole number`,
    );
  }
  const value = reader.signed();
  if (reader.byte() !== OPCODES.end)
    throw new MalformedBinary('a global or a segment is computed, not a number');
  return value;
}

function readElements(reader: ByteReader): SegmentShape<readonly number[]> {
  expectActive(reader);
  const offset = toAddress(readConstant(reader));
  return { offset, content: reader.list((one) => one.u32()) };
}

function readData(reader: ByteReader): SegmentShape<Uint8Array> {
  expectActive(reader);
  const offset = toAddress(readConstant(reader));
  return { offset, content: reader.take(reader.u32()) };
}

function expectActive(reader: ByteReader): void {
  const flags = reader.u32();
  if (flags !== 0)
    throw new MalformedBinary(
      `a segment has the flags ${flags}; known here are those of the one memory or table`,
    );
}

/** Addresses are unsigned, the numbers that stand for them signed. */
function toAddress(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}
