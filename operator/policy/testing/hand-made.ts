// SPDX-License-Identifier: Apache-2.0
import wabt from 'wabt';

/** What is other than in a module that answers `true`: each in the text format of WebAssembly. */
export interface HandMade {
  /** More imports. */
  readonly imports?: string;
  /** Without the functions for builtins that it would import. */
  readonly bare?: boolean;
  /** The import of the memory. */
  readonly memory?: string;
  /** More of anything, at the end. */
  readonly more?: string;
  /** The body of `opa_eval`, which returns an address. */
  readonly evaluate?: string;
  readonly malloc?: string;
  readonly dump?: string;
  readonly parse?: string;
  readonly heap?: string;
  readonly builtins?: string;
  readonly entrypoints?: string;
  /** The header of `opa_eval`. */
  readonly signature?: string;
  readonly abi?: string;
}

/** Where the parts of the module lie in its memory. */
export const ADDRESSES = { entrypoint: 1024, builtin: 1040, yes: 2048, message: 2100, heap: 4096 } as const;

const SEVEN = '(param i32 i32 i32 i32 i32 i32 i32) (result i32)';
const ABI =
  '(global (export "opa_wasm_abi_version") i32 (i32.const 1)) (global (export "opa_wasm_abi_minor_version") i32 (i32.const 3))';

/** The body that was given, or else the usual one. */
function give(body: string | undefined, usual: string): string {
  return body ?? usual;
}

/** What `builtins` and `entrypoints` look like: an object, and in it a name with its number. */
export function namesBody(address: number, number: number): string {
  return `(local i32) call $object local.set 0
    local.get 0 i32.const ${address} call $text i64.const ${number} call $number call $insert
    local.get 0`;
}

const BUILTIN1 = '(import "env" "opa_builtin1" (func $builtin1 (param i32 i32 i32) (result i32)))';
const NO_NAMES = '(local i32) call $object local.set 0 local.get 0';

/** A module that speaks OPA's ABI, has the entry point `p/x` and answers `true`, but for what is changed. */
export async function handMade(changes: HandMade = {}): Promise<Uint8Array> {
  const tools = await wabt();
  const features = {
    mutable_globals: true,
    threads: true,
    multi_value: true,
    bulk_memory: true,
    memory64: true,
    multi_memory: true,
    exceptions: true,
  };
  const module = tools.parseWat('hand-made.wat', textOf(changes), features);
  const { buffer } = module.toBinary({ write_debug_names: false });
  module.destroy();
  return buffer;
}

function textOf(changes: HandMade): string {
  const zero = '(i32.const 0)';
  return `(module
    ${give(changes.memory, '(import "env" "memory" (memory 1))')}
    (import "env" "opa_abort" (func $abort (param i32)))
    ${changes.bare === true ? '' : BUILTIN1}
    ${give(changes.imports, '')}
    ${give(changes.abi, ABI)}
    (func $object (result i32) ${zero})
    (func $text (param i32) (result i32) ${zero})
    (func $number (param i64) (result i32) ${zero})
    (func $insert (param i32 i32 i32))
    (func (export "entrypoints") (result i32) ${give(changes.entrypoints, namesBody(ADDRESSES.entrypoint, 0))})
    (func (export "builtins") (result i32) ${give(changes.builtins, NO_NAMES)})
    (func $eval (export "opa_eval") ${give(changes.signature, SEVEN)} ${give(changes.evaluate, `(i32.const ${ADDRESSES.yes})`)})
    (func (export "opa_malloc") (param i32) (result i32) ${give(changes.malloc, `(i32.const ${ADDRESSES.heap})`)})
    (func (export "opa_json_parse") (param i32 i32) (result i32) ${give(changes.parse, '(i32.const 8)')})
    (func (export "opa_value_parse") (param i32 i32) (result i32) ${give(changes.parse, '(i32.const 8)')})
    (func (export "opa_value_dump") (param i32) (result i32) ${give(changes.dump, `(i32.const ${ADDRESSES.yes})`)})
    (func (export "opa_heap_ptr_get") (result i32) ${give(changes.heap, `(i32.const ${ADDRESSES.heap})`)})
    (func (export "opa_heap_ptr_set") (param i32))
    (data (i32.const ${ADDRESSES.entrypoint}) "p/x\\00")
    (data (i32.const ${ADDRESSES.builtin}) "sprintf\\00")
    (data (i32.const ${ADDRESSES.yes}) "[{\\"result\\":true}]\\00")
    (data (i32.const ${ADDRESSES.message}) "stop\\00")
    ${give(changes.more, '')}
  )`;
}
