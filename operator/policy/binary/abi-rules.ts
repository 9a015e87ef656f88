// SPDX-License-Identifier: Apache-2.0
import { type Fault, ModuleFault } from '../faults.ts';
import type { ImportShape, ModuleShape, Signature } from './shape.ts';
import { signatureOf } from './shape.ts';

/** The functions of OPA's ABI that a module may ask for; nothing else is given to it. */
const HOST_FUNCTIONS: Readonly<Record<string, Signature>> = {
  opa_abort: 'i32->',
  opa_println: 'i32->',
  opa_builtin0: 'i32,i32->i32',
  opa_builtin1: 'i32,i32,i32->i32',
  opa_builtin2: 'i32,i32,i32,i32->i32',
  opa_builtin3: 'i32,i32,i32,i32,i32->i32',
  opa_builtin4: 'i32,i32,i32,i32,i32,i32->i32',
};

/** The functions of OPA's ABI that are called here. */
const POLICY_FUNCTIONS: Readonly<Record<string, Signature>> = {
  opa_eval: 'i32,i32,i32,i32,i32,i32,i32->i32',
  opa_malloc: 'i32->i32',
  opa_json_parse: 'i32,i32->i32',
  opa_value_parse: 'i32,i32->i32',
  opa_value_dump: 'i32->i32',
  opa_heap_ptr_get: '->i32',
  opa_heap_ptr_set: 'i32->',
  builtins: '->i32',
  entrypoints: '->i32',
};

const ABI_MAJOR = 1;
/** The first with `opa_eval`. */
const ABI_MINOR = 2;
const VERSION_GLOBALS = { major: 'opa_wasm_abi_version', minor: 'opa_wasm_abi_minor_version' } as const;

/** Where a module asks for more than it is given, or does not offer what it is called by. */
export function abiFaults(shape: ModuleShape): readonly Fault[] {
  return [
    ...shape.imports.flatMap((one) => importFaults(shape, one)),
    ...memoryFaults(shape),
    ...Object.entries(POLICY_FUNCTIONS).flatMap(([name, wanted]) => exportFaults(shape, { name, wanted })),
    ...startFaults(shape),
    ...versionFaults(shape),
  ];
}

/** The version of the ABI, of a module without faults. */
export function readAbi(shape: ModuleShape): { readonly major: number; readonly minor: number } {
  return {
    major: constantOf(shape, VERSION_GLOBALS.major) ?? 0,
    minor: constantOf(shape, VERSION_GLOBALS.minor) ?? 0,
  };
}

function importFaults(shape: ModuleShape, one: ImportShape): readonly Fault[] {
  const name = `${one.module}.${one.name}`;
  if (one.kind === 'memory' && name === 'env.memory') return [];
  const wanted =
    one.module === 'env' && Object.hasOwn(HOST_FUNCTIONS, one.name) ? HOST_FUNCTIONS[one.name] : undefined;
  if (one.kind !== 'function' || wanted === undefined) {
    const message = `the module asks for the ${one.kind} ${name}; policies are given env.memory, ${Object.keys(HOST_FUNCTIONS).join(', ')}`;
    return [{ reason: ModuleFault.Import, message }];
  }
  const found = shape.signatures[one.type];
  return found === wanted ? [] : [signatureFault(name, { found, wanted, reason: ModuleFault.Import })];
}

/** One memory, which is its host's: then its maximum is, too. */
function memoryFaults(shape: ModuleShape): readonly Fault[] {
  const imported = shape.imports.flatMap((one) => (one.kind === 'memory' ? [one.memory] : []));
  const [memory] = imported;
  if (memory === undefined || imported.length + shape.memories.length > 1) {
    const message = `the module imports ${imported.length} memories and has ${shape.memories.length} of its own; it has to import one, env.memory`;
    return [{ reason: ModuleFault.Memory, message }];
  }
  if (memory.isPlain) return [];
  const message = 'the memory is shared between threads, or addressed by 64 bits; it has to be a plain one';
  return [{ reason: ModuleFault.Memory, message }];
}

function exportFaults(
  shape: ModuleShape,
  { name, wanted }: { readonly name: string; readonly wanted: Signature },
): readonly Fault[] {
  const exported = shape.exports.find((one) => one.name === name);
  if (exported?.kind !== 'function') {
    return [
      { reason: ModuleFault.Export, message: `the module does not export the function ${name} (${wanted})` },
    ];
  }
  const found = signatureOf(shape, exported.index);
  return found === wanted ? [] : [signatureFault(name, { found, wanted, reason: ModuleFault.Export })];
}

/** The compiler writes one, to prepare the heap; it runs where evaluations run, under the same limits. */
function startFaults(shape: ModuleShape): readonly Fault[] {
  if (shape.start === undefined) return [];
  const found = signatureOf(shape, shape.start);
  return found === '->'
    ? []
    : [signatureFault('the start function', { found, wanted: '->', reason: ModuleFault.Export })];
}

function versionFaults(shape: ModuleShape): readonly Fault[] {
  const major = constantOf(shape, VERSION_GLOBALS.major);
  const minor = constantOf(shape, VERSION_GLOBALS.minor);
  if (major === ABI_MAJOR && minor !== undefined && minor >= ABI_MINOR) return [];
  const found = major === undefined || minor === undefined ? 'no version' : `version ${major}.${minor}`;
  const message = `the module tells ${found} of OPA's ABI; known are ${ABI_MAJOR}.${ABI_MINOR} and later of ${ABI_MAJOR}: compile it with a newer opa`;
  return [{ reason: ModuleFault.Abi, message }];
}

/** The value of an exported global that cannot change. */
function constantOf(shape: ModuleShape, name: string): number | undefined {
  const exported = shape.exports.find((one) => one.name === name && one.kind === 'global');
  const imported = shape.imports.filter((one) => one.kind === 'global').length;
  const global = exported === undefined ? undefined : shape.globals[exported.index - imported];
  return global === undefined || global.isMutable || global.type !== 'i32' ? undefined : Number(global.init);
}

function signatureFault(
  name: string,
  {
    found,
    wanted,
    reason,
  }: { readonly found: string | undefined; readonly wanted: string; readonly reason: ModuleFault },
): Fault {
  return {
    reason,
    message: `${name} has the signature ${found ?? 'of no function'}; OPA's ABI has ${wanted}`,
  };
}
