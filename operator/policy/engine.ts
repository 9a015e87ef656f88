// SPDX-License-Identifier: Apache-2.0

/** A memory as the engine has it. */
export interface EngineMemory {
  readonly buffer: ArrayBuffer;
  readonly grow: (pages: number) => number;
}

/** A module that the engine has compiled. Threads share it. */
export interface CompiledModule {
  readonly [compiled]: true;
}
declare const compiled: unique symbol;

/** What a module imports, by the name of what it is imported from. */
export type EngineImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The part of WebAssembly's JavaScript interface that is used here. Types of it come with those of browsers only. */
export interface Engine {
  readonly Module: new (bytes: Uint8Array) => CompiledModule;
  readonly Instance: new (compiled: CompiledModule, imports: EngineImports) => { readonly exports: unknown };
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => EngineMemory;
  readonly validate: (bytes: Uint8Array) => boolean;
  readonly compile: (bytes: Uint8Array) => Promise<CompiledModule>;
  readonly RuntimeError: ErrorConstructor;
  readonly LinkError: ErrorConstructor;
  readonly CompileError: ErrorConstructor;
}

/** V8's. */
export const ENGINE = (globalThis as unknown as { readonly WebAssembly: Engine }).WebAssembly;
