// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { readNames } from './binary/names.ts';
import { parseModule } from './binary/parse.ts';
import { MalformedBinary } from './binary/reader.ts';
import type { ModuleShape } from './binary/shape.ts';
import { abiFaults, readAbi } from './binary/abi-rules.ts';
import { PAGE_BYTES, sizeFaults } from './binary/size-rules.ts';
import { isKnownBuiltin } from './builtins/names.ts';
import { ENGINE } from './engine.ts';
import { meterModule } from './metering/meter.ts';
import { type Fault, MODULE_LIMITS, ModuleFault, type ModuleLimits } from './faults.ts';

export { MODULE_LIMITS, ModuleFault, type Fault, type ModuleLimits } from './faults.ts';

/** A module that has been checked, and what it says of itself. */
export interface PolicyModule {
  /** `sha256:` and 64 hex digits, of `bytes`. */
  readonly digest: string;
  /** Empty where they are not kept here: who runs the module fetches them by their digest. */
  readonly bytes: Uint8Array;
  /** What runs: the same, and it asks for time while it does. Empty where `bytes` is. */
  readonly metered: Uint8Array;
  readonly entrypoints: readonly string[];
  /** Those that it asks its host for; the others are in the module. */
  readonly builtins: readonly string[];
  readonly abi: { readonly major: number; readonly minor: number };
  /** What its host needs to run it. */
  readonly layout: ModuleLayout;
}

/** How a module names its entry points and builtins, and what its memory has to be. */
export interface ModuleLayout {
  readonly entrypoints: Readonly<Record<string, number>>;
  readonly builtins: Readonly<Record<string, number>>;
  /** Pages that the memory begins with, and those it says it can do with at most. */
  readonly initialPages: number;
  readonly maximumPages: number | undefined;
}

/** Whether a module may be run. */
export type Verification =
  | { readonly kind: 'ok'; readonly module: PolicyModule }
  | { readonly kind: 'refused'; readonly faults: readonly Fault[] };

/**
 * Parses and checks a module before any of it runs: what it imports and exports, how large it may become, and which entry points and
 * builtins it has. What it does is not judged here; that is contained when it runs.
 */
export function verifyModule(bytes: Uint8Array, limits: ModuleLimits = MODULE_LIMITS): Verification {
  if (bytes.length > limits.maxBytes) {
    const message = `the module has ${bytes.length} bytes; at most ${limits.maxBytes} are taken`;
    return refused([{ reason: ModuleFault.TooLarge, message }]);
  }
  try {
    return verifyShape(bytes, { shape: parseModule(bytes), limits });
  } catch (error) {
    if (!(error instanceof MalformedBinary)) throw error;
    return refused([
      { reason: ModuleFault.Malformed, message: `the module cannot be read: ${error.message}` },
    ]);
  }
}

function verifyShape(
  bytes: Uint8Array,
  { shape, limits }: { readonly shape: ModuleShape; readonly limits: ModuleLimits },
): Verification {
  const faults = [...sizeFaults(shape, limits), ...abiFaults(shape)];
  if (faults.length > 0) return refused(faults);
  const abi = readAbi(shape);
  const entrypoints = namesOf(shape, 'entrypoints');
  const builtins = namesOf(shape, 'builtins');
  if (entrypoints.kind === 'refused') return entrypoints;
  if (builtins.kind === 'refused') return builtins;
  const wrong = [...emptyFaults(entrypoints.names), ...builtinFaults(builtins.names)];
  if (wrong.length > 0) return refused(wrong);
  const layout = {
    ...memoryOf(shape),
    entrypoints: record(entrypoints.names),
    builtins: record(builtins.names),
  };
  return {
    kind: 'ok',
    module: {
      digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
      bytes,
      metered: meterValid(bytes, shape),
      entrypoints: [...entrypoints.names.keys()],
      builtins: [...builtins.names.keys()],
      abi,
      layout,
    },
  };
}

/**
 * The engine's own opinion is about the module as it came: nothing that it would refuse becomes valid by what is added. It is asked last,
 * since what is found here can be told more clearly.
 */
function meterValid(bytes: Uint8Array, shape: ModuleShape): Uint8Array {
  const metered = meterModule(bytes, shape);
  if (ENGINE.validate(bytes)) return metered;
  throw new MalformedBinary(
    'it is not valid WebAssembly of version 2.0; compile the module with `opa build -t wasm`, or give its source',
  );
}

type Names =
  | { readonly kind: 'ok'; readonly names: ReadonlyMap<string, number> }
  | Extract<Verification, { kind: 'refused' }>;

function namesOf(shape: ModuleShape, name: 'entrypoints' | 'builtins'): Names {
  const index = shape.exports.find((one) => one.name === name && one.kind === 'function')?.index ?? -1;
  try {
    return { kind: 'ok', names: readNames(shape, index) };
  } catch (error) {
    if (!(error instanceof MalformedBinary)) throw error;
    const reason = name === 'builtins' ? ModuleFault.Builtin : ModuleFault.Entrypoint;
    const message = `${name}() cannot be read: ${error.message}; compile the module with \`opa build -t wasm\`, or give its source`;
    return refused([{ reason, message }]);
  }
}

function emptyFaults(entrypoints: ReadonlyMap<string, number>): readonly Fault[] {
  if (entrypoints.size > 0) return [];
  return [
    {
      reason: ModuleFault.Entrypoint,
      message: 'the module has no entry point; compile it with at least one (-e)',
    },
  ];
}

function builtinFaults(builtins: ReadonlyMap<string, number>): readonly Fault[] {
  const unknown = [...builtins.keys()].filter((name) => !isKnownBuiltin(name)).toSorted();
  if (unknown.length === 0) return [];
  const message =
    `the module uses ${unknown.slice(0, 16).join(', ')}, which packs may not: they answer from their input alone, without network, ` +
    'chance or environment; `nexusctl pack capabilities` lists what they may use';
  return [{ reason: ModuleFault.Builtin, message }];
}

/** A module that says too little of what it begins with is given what its data need. */
function memoryOf(shape: ModuleShape): Pick<ModuleLayout, 'initialPages' | 'maximumPages'> {
  const memory = shape.imports.find((one) => one.kind === 'memory')?.memory;
  const ends = shape.data.map(({ offset, content }) => Math.ceil((offset + content.length) / PAGE_BYTES));
  return { initialPages: Math.max(memory?.min ?? 0, ...ends), maximumPages: memory?.max };
}

function record(names: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  return Object.fromEntries(names);
}

function refused(faults: readonly Fault[]): Extract<Verification, { kind: 'refused' }> {
  return { kind: 'refused', faults };
}
