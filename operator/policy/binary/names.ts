// SPDX-License-Identifier: Apache-2.0
import { ByteReader, MalformedBinary } from './reader.ts';
import { bodyOf, type ModuleShape } from './shape.ts';

const OPCODES = {
  end: 0x0b,
  return: 0x0f,
  call: 0x10,
  localGet: 0x20,
  localSet: 0x21,
  i32Const: 0x41,
  i64Const: 0x42,
} as const;

/** As long as any name of a rule, and short enough to be shown. */
const MAX_NAME_BYTES = 1024;
const MAX_NAMES = 4096;

/**
 * The table that `entrypoints` or `builtins` would return: names, with their numbers. It is read off the code, which the
 * compiler writes in one way only: make an object, put in each name with its number, return it. So nothing of a module runs before it
 * is known, and none can say one thing now and another later. Throws `MalformedBinary` where the code is any other.
 */
export function readNames(shape: ModuleShape, functionIndex: number): ReadonlyMap<string, number> {
  const body = bodyOf(shape, functionIndex);
  if (body === undefined) throw new MalformedBinary('it is imported');
  const code = new ByteReader(body);
  code.list((locals) => [locals.u32(), locals.byte()]);
  expect(code, OPCODES.call);
  code.u32();
  const object = local(code, OPCODES.localSet);
  const names = new Map<string, number>();
  while (local(code, OPCODES.localGet) === object && !isLast(code)) {
    const [name, number] = readPair(code, shape);
    if (names.has(name) || names.size === MAX_NAMES)
      throw new MalformedBinary(`${JSON.stringify(name)} is there twice, or one too many`);
    names.set(name, number);
  }
  return names;
}

/** The last of the code is the object alone. */
function isLast(code: ByteReader): boolean {
  const { at } = code;
  const next = code.byte();
  if (next === OPCODES.end || next === OPCODES.return) return true;
  if (next !== OPCODES.i32Const) throw unlikeTheCompiler(at);
  return false;
}

/** What follows `i32.const`: where the name lies, and its number. */
function readPair(code: ByteReader, shape: ModuleShape): readonly [string, number] {
  const name = readText(shape, Number(BigInt.asUintN(32, code.signed())));
  expect(code, OPCODES.call);
  code.u32();
  expect(code, OPCODES.i64Const);
  const number = code.signed();
  if (number < 0n || number > 0x7fff_ffffn)
    throw new MalformedBinary(`${JSON.stringify(name)} has the number ${number}`);
  expect(code, OPCODES.call);
  code.u32();
  expect(code, OPCODES.call);
  code.u32();
  return [name, Number(number)];
}

function local(code: ByteReader, opcode: number): number {
  expect(code, opcode);
  return code.u32();
}

function expect(code: ByteReader, opcode: number): void {
  const { at } = code;
  if (code.byte() !== opcode) throw unlikeTheCompiler(at);
}

function unlikeTheCompiler(at: number): MalformedBinary {
  return new MalformedBinary(
    `its code is not what the compiler of Rego writes there (byte ${at} of the function)`,
  );
}

/** The text at an address of the memory as it is in the beginning, up to its zero byte. Of two segments the later one counts. */
function readText(shape: ModuleShape, address: number): string {
  const segment = shape.data.findLast(
    ({ offset, content }) => address >= offset && address < offset + content.length,
  );
  if (segment === undefined) throw new MalformedBinary(`a name lies at ${address}, where there are no data`);
  const bytes = segment.content.subarray(address - segment.offset);
  const end = bytes.subarray(0, MAX_NAME_BYTES + 1).indexOf(0);
  if (end === -1) throw new MalformedBinary(`the name at ${address} is longer than ${MAX_NAME_BYTES} bytes`);
  return new TextDecoder().decode(bytes.subarray(0, end));
}
