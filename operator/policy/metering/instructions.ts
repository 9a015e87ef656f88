// SPDX-License-Identifier: Apache-2.0
import { type ByteReader, MalformedBinary } from '../binary/reader.ts';

/** What is known of the module: how much of each kind it has, since what stands beyond that is none of its own. */
export interface CodeContext {
  readonly types: number;
  readonly functions: number;
  readonly globals: number;
  /** Of the function whose code is read, its parameters among them. One more is added, which is not its own. */
  readonly locals: number;
  /** How many parameters and results a type has. */
  readonly valuesOf: (type: number) => number;
  /** Is told of each function that is called by its number. */
  readonly onCall: (index: number) => void;
}

/** What an instruction means for metering. All others are straight on. */
export type Step = 'plain' | 'block' | 'loop' | 'end' | 'indirect' | 'fill' | 'copy' | 'grow';

/** Reads what follows an opcode; what it is. */
type Read = (reader: ByteReader, limits: CodeContext) => Step;

const END = 0x0b;
/** A block without parameters and results; what else is one byte with this bit is a type of values. */
const NO_TYPE = 0x40;
const VALUE_TYPES = new Set([0x7f, 0x7e, 0x7d, 0x7c, 0x70, 0x6f]);
/** Alignments are powers of two up to that of eight bytes; higher bits stand for other memories. */
const MAX_ALIGNMENT = 3;
/** Each turn of a loop may move them all. */
const MAX_BLOCK_VALUES = 16;
const BYTES_OF_I32 = 5;
const BYTES_OF_I64 = 10;

const plain: Read = () => 'plain';
const index: Read = (reader) => {
  reader.u32();
  return 'plain';
};

/** Everything WebAssembly had in its second version but vectors and references, and nothing since: no compiler of policies uses more. */
const KNOWN: readonly (readonly [from: number, to: number, read: Read])[] = [
  [0x00, 0x01, plain],
  [0x02, 0x02, blockOf('block')],
  [0x03, 0x03, blockOf('loop')],
  [0x04, 0x04, blockOf('block')],
  [0x05, 0x05, plain],
  [END, END, () => 'end'],
  [0x0c, 0x0d, index],
  [0x0e, 0x0e, branchTable],
  [0x0f, 0x0f, plain],
  [0x10, 0x10, call],
  [0x11, 0x11, callIndirect],
  [0x1a, 0x1b, plain],
  [0x1c, 0x1c, typedSelect],
  [0x20, 0x22, ownLocal],
  [0x23, 0x24, global],
  [0x28, 0x3e, memoryAccess],
  [0x3f, 0x3f, (reader) => onlyMemory(reader, 'plain')],
  [0x40, 0x40, (reader) => onlyMemory(reader, 'grow')],
  [0x41, 0x41, (reader) => skipNumber(reader, BYTES_OF_I32)],
  [0x42, 0x42, (reader) => skipNumber(reader, BYTES_OF_I64)],
  [0x43, 0x43, (reader) => skip(reader, 4)],
  [0x44, 0x44, (reader) => skip(reader, 8)],
  [0x45, 0xc4, plain],
  [0xfc, 0xfc, prefixed],
];

/** The same by opcode. */
const READS = Array.from<Read | undefined>({ length: 256 });
for (const [from, to, read] of KNOWN) READS.fill(read, from, to + 1);

/** Reads one instruction. Throws `MalformedBinary` for one that is not known: where the next begins is not known then, either. */
export function readInstruction(reader: ByteReader, limits: CodeContext): Step {
  const { at } = reader;
  const opcode = reader.byte();
  const read = READS[opcode];
  if (read === undefined) throw unknown(at, hex(opcode));
  return read(reader, limits);
}

function blockOf(step: 'block' | 'loop'): Read {
  return (reader, { types, valuesOf }) => {
    const { at } = reader;
    const first = reader.byte();
    if (first === NO_TYPE || VALUE_TYPES.has(first)) return step;
    let value = first & 0x7f;
    let byte = first;
    for (let shift = 7; (byte & 0x80) !== 0; shift += 7) {
      byte = reader.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (shift > 28) throw new MalformedBinary(`the type of the block at byte ${at} is no number`);
    }
    // The last byte has the sign.
    if ((byte & 0x40) !== 0 || value >= types) throw beyond(at, { what: 'type', value, count: types });
    if (valuesOf(value) <= MAX_BLOCK_VALUES) return step;
    throw unknown(at, `a block with more than ${MAX_BLOCK_VALUES} parameters and results`);
  };
}

function branchTable(reader: ByteReader): Step {
  reader.list(index as (reader: ByteReader) => Step);
  reader.u32();
  return 'plain';
}

function call(reader: ByteReader, { functions, onCall }: CodeContext): Step {
  onCall(expectBelow(reader, { what: 'function', count: functions }));
  return 'plain';
}

function callIndirect(reader: ByteReader, { types }: CodeContext): Step {
  expectBelow(reader, { what: 'type', count: types });
  reader.u32();
  // Nobody knows where it leads.
  return 'indirect';
}

function typedSelect(reader: ByteReader): Step {
  const { at } = reader;
  if (reader.byte() !== 1 || !VALUE_TYPES.has(reader.byte())) throw unknown(at, 'a choice of several values');
  return 'plain';
}

function ownLocal(reader: ByteReader, { locals }: CodeContext): Step {
  expectBelow(reader, { what: 'local', count: locals });
  return 'plain';
}

function global(reader: ByteReader, { globals }: CodeContext): Step {
  expectBelow(reader, { what: 'global', count: globals });
  return 'plain';
}

function memoryAccess(reader: ByteReader): Step {
  const { at } = reader;
  if (reader.u32() > MAX_ALIGNMENT) throw unknown(at, 'an alignment of more than eight bytes');
  reader.u32();
  return 'plain';
}

function onlyMemory<T extends Step>(reader: ByteReader, step: T): T {
  const { at } = reader;
  if (reader.byte() !== 0) throw unknown(at, 'another memory than the first');
  return step;
}

function skipNumber(reader: ByteReader, most: number): Step {
  const { at } = reader;
  for (let count = 1; (reader.byte() & 0x80) !== 0; count += 1) {
    if (count === most) throw new MalformedBinary(`the number at byte ${at} is too long`);
  }
  return 'plain';
}

function skip(reader: ByteReader, bytes: number): Step {
  reader.take(bytes);
  return 'plain';
}

/** Conversions that do not trap, and what fills and copies memory. */
function prefixed(reader: ByteReader): Step {
  const { at } = reader;
  const opcode = reader.u32();
  if (opcode <= 7) return 'plain';
  if (opcode === 10) {
    onlyMemory(reader, 'copy');
    return onlyMemory(reader, 'copy');
  }
  if (opcode === 11) return onlyMemory(reader, 'fill');
  throw unknown(at, `0xfc ${hex(opcode)}`);
}

function expectBelow(
  reader: ByteReader,
  { what, count }: { readonly what: string; readonly count: number },
): number {
  const { at } = reader;
  const value = reader.u32();
  if (value >= count) throw beyond(at, { what, value, count });
  return value;
}

function beyond(
  at: number,
  { what, value, count }: { readonly what: string; readonly value: number; readonly count: number },
): MalformedBinary {
  return new MalformedBinary(`byte ${at} names the ${what} ${value}; there are ${count}`);
}

function unknown(at: number, what: string): MalformedBinary {
  return new MalformedBinary(
    `its code has ${what} at byte ${at}, which the compiler of Rego does not write: known are the instructions of WebAssembly 2.0 ` +
      'without vectors, references and tables; compile the module with `opa build -t wasm`, or give its source',
  );
}

function hex(opcode: number): string {
  return `the instruction 0x${opcode.toString(16).padStart(2, '0')}`;
}
