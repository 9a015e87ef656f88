// SPDX-License-Identifier: Apache-2.0

/** Types of values as the binary writes them. */
export const VALUE_TYPES: Readonly<Record<number, ValueType>> = {
  127: 'i32',
  126: 'i64',
  125: 'f32',
  124: 'f64',
  123: 'v128',
  112: 'funcref',
  111: 'externref',
};

/** The type of a parameter, a result or a global. */
export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128' | 'funcref' | 'externref';

/** Parameters and results, such as `i32,i32->i32`: one text, so that signatures are compared as such. */
export type Signature = string;

/** How large a table or a memory is, and may become. */
export interface SizeRange {
  readonly min: number;
  readonly max: number | undefined;
}

/** A memory: shared with other threads, or addressed by 64 bits, where the flags say so. */
export interface MemoryShape extends SizeRange {
  readonly isPlain: boolean;
}

/** Something the module asks of its host. */
export type ImportShape = { readonly module: string; readonly name: string } & (
  | { readonly kind: 'function'; readonly type: number }
  | { readonly kind: 'memory'; readonly memory: MemoryShape }
  | { readonly kind: 'table' | 'global' | 'tag' }
);

/** Something the module offers its host, by its place among all of that kind. */
export interface ExportShape {
  readonly name: string;
  readonly kind: 'function' | 'table' | 'memory' | 'global' | 'tag';
  readonly index: number;
}

/** A global of the module, with the number it begins with. */
export interface GlobalShape {
  readonly type: ValueType;
  readonly isMutable: boolean;
  readonly init: bigint;
}

/** Bytes or functions that are put in place before anything runs. */
export interface SegmentShape<T> {
  readonly offset: number;
  readonly content: T;
}

/** All of a module but what its functions do. */
export interface ModuleShape {
  readonly signatures: readonly Signature[];
  readonly imports: readonly ImportShape[];
  /** The index into `signatures` of each function of its own. */
  readonly functions: readonly number[];
  readonly tables: readonly SizeRange[];
  readonly memories: readonly MemoryShape[];
  readonly globals: readonly GlobalShape[];
  readonly exports: readonly ExportShape[];
  readonly start: number | undefined;
  /** Of each, the functions that go into the table. */
  readonly elements: readonly SegmentShape<readonly number[]>[];
  /** The code of each function of its own, locals first. */
  readonly bodies: readonly Uint8Array[];
  readonly data: readonly SegmentShape<Uint8Array>[];
}

/** The signature of a function, imported or of its own; undefined where there is no such function. */
export function signatureOf(shape: ModuleShape, index: number): Signature | undefined {
  const imported = shape.imports.flatMap((one) => (one.kind === 'function' ? [one.type] : []));
  const type = index < imported.length ? imported[index] : shape.functions[index - imported.length];
  return type === undefined ? undefined : shape.signatures[type];
}

/** The code of a function of the module's own; undefined where it is imported, or is not there. */
export function bodyOf(shape: ModuleShape, index: number): Uint8Array | undefined {
  return shape.bodies[index - shape.imports.filter((one) => one.kind === 'function').length];
}
