// SPDX-License-Identifier: Apache-2.0
import { isDeeper } from '../core/policy/json-depth.ts';
import type { BuiltinCall } from './builtins/builtin.ts';
import { callBuiltin } from './builtins/call.ts';
import { type Asked, quickFind, quickMatch, QUICK_LIMITS } from './builtins/quick-regex.ts';
import { wholeOf } from './builtins/builtin.ts';
import { type CompiledModule, ENGINE, type EngineImports } from './engine.ts';
import { ENDLESS, type EvaluationClock } from './metering/clock.ts';
import { FUEL, REGEX_FIND, REGEX_MATCH, TIME_CHECK } from './metering/fuel.ts';
import type { ModuleLayout } from './module.ts';
import { readValue } from './values/read.ts';
import type { Value } from './values/value.ts';
import { writeValue } from './values/write.ts';
import { EvaluationFailure, type EvaluationLimits, Failure } from './verdict.ts';
import { describeThrown, PolicyMemory } from './policy-memory.ts';

/** What one instance is made of. */
export interface InstanceSource {
  readonly compiled: CompiledModule;
  readonly layout: ModuleLayout;
  /** Its memory may have so much, data included. */
  readonly memoryMiB: number;
  /** What `data` is beyond the rules, as JSON. */
  readonly data: Uint8Array | undefined;
  readonly limits: EvaluationLimits;
  /** That of an instance of the same module, for the same owner, which is not used any more: it is cleared, and used again. */
  readonly memory?: PolicyMemory | undefined;
  /** Asked again and again while the module runs; by default there is no end to its time. */
  readonly clock?: EvaluationClock | undefined;
}

/** One question to an instance. */
export interface Question {
  readonly entrypoint: string;
  /** JSON in UTF-8. */
  readonly input: Uint8Array;
  /** The time that the policy is told, whenever it asks within one evaluation. */
  readonly nowNs: bigint;
}

/** The text of an answer; undefined where no rule has spoken. */
export type Answer = { readonly json: string } | undefined;

interface Exports {
  readonly opa_eval: (...args: readonly number[]) => number;
  readonly opa_malloc: (size: number) => number;
  readonly opa_json_parse: (address: number, length: number) => number;
  readonly opa_value_parse: (address: number, length: number) => number;
  readonly opa_value_dump: (address: number) => number;
  readonly opa_heap_ptr_get: () => number;
}

const PAGES_PER_MIB = 16;
const JSON_FORMAT = 0;
/** An argument of a builtin. What is larger is not what a policy compares. */
const MAX_ARGUMENT_BYTES = 4 * 1024 * 1024;
const MAX_ABORT_BYTES = 512;
const ENCODER = new TextEncoder();
/** One for all texts: to make one for each takes longer than most texts. */
const DECODER = new TextDecoder();
const TRUE = ENCODER.encode('true');
const FALSE = ENCODER.encode('false');

/**
 * A module that is loaded and has its data. It speaks OPA's ABI from 1.2 on. Whatever it throws ends it: its memory
 * may be in any state then.
 */
export class PolicyInstance {
  readonly #source: InstanceSource;
  readonly #memory: PolicyMemory;
  readonly #exports: Exports;
  readonly #dataAddress: number;
  /** Where what an evaluation needs begins. What lies there is overwritten by the next. */
  readonly #heap: number;
  readonly #builtins: ReadonlyMap<number, string>;
  readonly #clock: EvaluationClock;
  #call: BuiltinCall;

  /** Loads a module, which may run code of its own. Throws `EvaluationFailure` where it cannot be. */
  constructor(source: InstanceSource) {
    this.#source = source;
    this.#clock = source.clock ?? ENDLESS;
    this.#call = { nowNs: 0n, ...this.#clock };
    const { layout, compiled } = source;
    const most = Math.min(source.memoryMiB * PAGES_PER_MIB, layout.maximumPages ?? Number.POSITIVE_INFINITY);
    this.#builtins = new Map(Object.entries(layout.builtins).map(([name, id]) => [id, name]));
    this.#memory = source.memory ?? new PolicyMemory(layout.initialPages, most);
    if (source.memory !== undefined) this.#memory.clear();
    const env = { memory: this.#memory.memory, ...this.#hostFunctions() };
    [this.#exports, this.#dataAddress, this.#heap] = guarded(() => {
      const exports = new ENGINE.Instance(compiled, { env }).exports as Exports;
      // The first piece of memory prepares the heap.
      exports.opa_malloc(0);
      const data = source.data === undefined ? 0 : this.#parse(exports, source.data);
      return [exports, data, exports.opa_heap_ptr_get() >>> 0];
    });
  }

  /** For the next instance, when this one has failed. */
  get memory(): PolicyMemory {
    return this.#memory;
  }

  /** Memory it has taken, in bytes; it never gives any back. */
  get memoryBytes(): number {
    return this.#memory.memory.buffer.byteLength;
  }

  /** Evaluates one entry point. Throws `EvaluationFailure`, after which the instance must not be used again. */
  evaluate({ entrypoint, input, nowNs }: Question): Answer {
    const { limits, layout } = this.#source;
    const id = Object.hasOwn(layout.entrypoints, entrypoint) ? layout.entrypoints[entrypoint] : undefined;
    if (id === undefined) {
      const known = Object.keys(layout.entrypoints).slice(0, 8).join(', ');
      throw new EvaluationFailure(
        Failure.Entrypoint,
        `the module has no entry point ${entrypoint}; it has ${known}`,
      );
    }
    expectFit(input, limits);
    this.#call = { nowNs, ...this.#clock };
    return guarded(() => {
      this.#memory.write(this.#heap, input);
      const end = this.#heap + input.length;
      const args = [0, id, this.#dataAddress, this.#heap, input.length, end, JSON_FORMAT];
      return this.#answer(this.#exports.opa_eval(...args) >>> 0);
    });
  }

  /** OPA answers with a list of one result, or of none. */
  #answer(address: number): Answer {
    const { maxResultBytes, maxDepth } = this.#source.limits;
    const bytes = this.#memory.text(address, maxResultBytes);
    if (bytes === undefined) {
      throw new EvaluationFailure(
        Failure.ResultTooLarge,
        `the answer has more than ${maxResultBytes} bytes, or no end`,
      );
    }
    if (isDeeper(bytes, maxDepth)) {
      throw new EvaluationFailure(Failure.ResultTooLarge, `the answer is deeper than ${maxDepth}`);
    }
    const json = decode(bytes);
    return json === '[]' ? undefined : { json };
  }

  #parse(exports: Exports, json: Uint8Array): number {
    const address = exports.opa_malloc(json.length) >>> 0;
    this.#memory.write(address, json);
    const value = exports.opa_json_parse(address, json.length) >>> 0;
    if (value === 0) throw new EvaluationFailure(Failure.BadResult, 'the module takes its data for no JSON');
    return value;
  }

  #hostFunctions(): EngineImports[string] {
    const builtin = (id: number, _context: number, ...args: readonly number[]): number => {
      this.#clock.expectTime();
      if (id === TIME_CHECK) return FUEL;
      return id === REGEX_MATCH || id === REGEX_FIND ? this.#regex(args) : this.#builtin(id, args);
    };
    const names = [0, 1, 2, 3, 4].map((count) => `opa_builtin${count}`);
    return {
      ...Object.fromEntries(names.map((name) => [name, builtin])),
      opa_abort: (address: number) => {
        const bytes = this.#memory.text(address >>> 0, MAX_ABORT_BYTES) ?? new Uint8Array();
        const message = decode(bytes) || 'without a message that could be read';
        throw new EvaluationFailure(isMemoryAbort(message) ? Failure.OutOfMemory : Failure.Abort, message);
      },
      // What policies print is for those who write them, and they have `opa test`.
      opa_println: () => undefined,
    };
  }

  /** Zero is what a builtin answers that has no value. */
  #builtin(id: number, addresses: readonly number[]): number {
    const name = this.#builtins.get(id);
    if (name === undefined)
      throw new EvaluationFailure(Failure.Builtin, `the module calls a builtin ${id} that it did not name`);
    const result = callBuiltin(
      name,
      addresses.map((address) => this.#dump(address)),
      this.#call,
    );
    return result === undefined ? 0 : this.#made(ENCODER.encode(writeValue(result)));
  }

  /** Zero is that the module has to find it out itself. A search is told how many matches it is to find. */
  #regex([patternAt = 0, textAt = 0, mostAt]: readonly number[]): number {
    const pattern = this.#memory.string(patternAt >>> 0, QUICK_LIMITS.patternBytes);
    const text = this.#memory.string(textAt >>> 0, QUICK_LIMITS.textBytes);
    if (pattern === undefined || text === undefined) return 0;
    const asked = { pattern, text, expectTime: this.#clock.expectTime };
    if (mostAt !== undefined) return this.#search(asked, this.#dump(mostAt));
    const isMatch = quickMatch(asked);
    return isMatch === undefined ? 0 : this.#made(isMatch ? TRUE : FALSE);
  }

  #search(asked: Asked, count: Value): number {
    const most = wholeOf(count);
    const found = most === undefined ? undefined : quickFind({ ...asked, most });
    return found === undefined ? 0 : this.#made(ENCODER.encode(writeValue(found)));
  }

  /** Makes a value of its text. */
  #made(bytes: Uint8Array): number {
    const address = this.#exports.opa_malloc(bytes.length) >>> 0;
    this.#memory.write(address, bytes);
    return this.#exports.opa_value_parse(address, bytes.length);
  }

  #dump(address: number): Value {
    const bytes = this.#memory.text(this.#exports.opa_value_dump(address) >>> 0, MAX_ARGUMENT_BYTES);
    if (bytes === undefined) {
      throw new EvaluationFailure(
        Failure.Builtin,
        `an argument of a builtin has more than ${MAX_ARGUMENT_BYTES} bytes`,
      );
    }
    return readValue(decode(bytes));
  }
}

function expectFit(input: Uint8Array, limits: EvaluationLimits): void {
  if (input.length > limits.maxInputBytes) {
    const message = `the input has ${input.length} bytes; at most ${limits.maxInputBytes} are taken`;
    throw new EvaluationFailure(Failure.InputTooLarge, message);
  }
  if (isDeeper(input, limits.maxDepth)) {
    throw new EvaluationFailure(Failure.InputTooLarge, `the input is deeper than ${limits.maxDepth}`);
  }
}

/** Whatever comes out of a module becomes a failure with a reason. */
function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof EvaluationFailure ? error : describeThrown(error);
  }
}

function isMemoryAbort(message: string): boolean {
  return message === 'opa_malloc: failed';
}

function decode(bytes: Uint8Array): string {
  return DECODER.decode(bytes);
}
