// SPDX-License-Identifier: Apache-2.0
import { ByteReader, MalformedBinary } from '../binary/reader.ts';
import { type ModuleShape, type Signature, VALUE_TYPES } from '../binary/shape.ts';
import { callOrder } from './call-order.ts';
import { BYTES_PER_LOCAL, BYTES_PER_UNIT, FREE_IN_LOOPS, MOST_BEFOREHAND, MOST_CARRIED } from './fuel.ts';
import { type CodeContext, readInstruction, type Step } from './instructions.ts';

/** A place in the code where fuel is taken: before what stands at `at`, or instead of the `length` bytes there. */
export type Site =
  | { readonly kind: 'enter' | 'call'; readonly at: number; readonly fuel: number }
  | { readonly kind: 'loop'; readonly at: number; fuel: number }
  | { readonly kind: 'fill' | 'copy' | 'grow'; readonly at: number; readonly length: number };

/** What is done to one function. */
export interface MeteredBody {
  /** Where its code begins, behind its locals. */
  readonly begin: number;
  readonly sites: readonly Site[];
  /** What whoever calls it takes fuel for, in bytes of code; zero where it does so itself. */
  readonly carried: number;
}

/** What holds in every function of a module. */
type ModuleContext = Omit<CodeContext, 'onCall' | 'locals'>;

/** What a function does itself. */
interface Read extends Omit<MeteredBody, 'carried'> {
  /** Of what is done once for each call, in bytes of code. */
  readonly weight: number;
  readonly isIndirect: boolean;
}

/** Many times those of the compiler, which has 32 at most in all that it brings along. One more is added here. */
const MAX_LOCALS = 4096;
/** How deep blocks may be in each other; the compiler comes to some hundred. */
const MAX_BLOCKS = 10_000;

/**
 * Where fuel has to be taken in each function of a module, so that it takes some for whatever it does for long: where a loop begins
 * anew, where a function begins, and where memory is filled, copied or grown. Reads every instruction. Throws `MalformedBinary` on what is not
 * known, and on names of things that the module does not have: after metering there are some more, which are not its own.
 */
export function findSites(shape: ModuleShape): readonly MeteredBody[] {
  const imported = shape.imports.filter((one) => one.kind === 'function').length;
  const values = shape.signatures.map(valuesIn);
  const limits = {
    valuesOf: (type: number) => values[type] ?? 0,
    types: shape.signatures.length,
    functions: imported + shape.functions.length,
    globals: shape.globals.length,
  };
  expectOwn(shape, limits);
  const read = (index: number, carriedBy: (called: number) => number): Read => {
    try {
      const signature = shape.signatures[shape.functions[index] ?? 0] ?? '';
      const reader = new BodyReader(shape.bodies[index] ?? new Uint8Array(), limits, (called) =>
        called < imported ? 0 : carriedBy(called - imported),
      );
      return reader.read(signature);
    } catch (error) {
      if (!(error instanceof MalformedBinary)) throw error;
      throw new MalformedBinary(`function ${imported + index}: ${error.message}`);
    }
  };
  return meteredBodies(shape.bodies.length, read);
}

/**
 * A function that is short, with all that it calls, takes no fuel where it begins: who calls it takes it. What calls come round
 * by takes its own, and so does what calls nobody knows whom: so calls without end take fuel without end.
 */
function meteredBodies(
  count: number,
  read: (index: number, carriedBy: (called: number) => number) => Read,
): readonly MeteredBody[] {
  const callees = Array.from({ length: count }, (_, index) => {
    const called = new Set<number>();
    read(index, (one) => {
      called.add(one);
      return 0;
    });
    return [...called];
  });
  const { order, again } = callOrder(callees);
  const bodies: MeteredBody[] = [];
  for (const index of order) {
    const { begin, sites, weight, isIndirect } = read(index, (called) => bodies[called]?.carried ?? 0);
    const isCarried = !isIndirect && !again.has(index) && weight <= MOST_CARRIED;
    const enter = { kind: 'enter' as const, at: begin, fuel: unitsOf(weight) };
    bodies[index] = isCarried
      ? { begin, sites, carried: weight }
      : { begin, sites: [enter, ...sites], carried: 0 };
  }
  return bodies;
}

/** What is named outside of code. What globals and segments begin with are numbers, which name nothing (`parseModule`). */
function expectOwn(
  { exports, start, functions, imports, signatures, elements }: ModuleShape,
  limits: ModuleContext,
): void {
  const counts: Readonly<Record<string, number>> = { function: limits.functions, global: limits.globals };
  const wrong = exports.find(({ kind, index }) => index >= (counts[kind] ?? 1));
  if (wrong !== undefined) {
    throw new MalformedBinary(`it exports the ${wrong.kind} ${wrong.index}, which is not there`);
  }
  if (start !== undefined && start >= limits.functions) {
    throw new MalformedBinary(`it starts with the function ${start}, which is not there`);
  }
  const element = elements.flatMap(({ content }) => content).find((one) => one >= limits.functions);
  if (element !== undefined) {
    throw new MalformedBinary(`it puts the function ${element} into its table, which is not there`);
  }
  const types = imports.flatMap((one) => (one.kind === 'function' ? [one.type] : []));
  const type = [...types, ...functions].find((one) => one >= signatures.length);
  if (type !== undefined) throw new MalformedBinary(`a function has the type ${type}, which is not there`);
}

/** One block that has begun; with its site, if it is a loop. */
interface Block {
  readonly began: number;
  readonly loop: Extract<Site, { kind: 'loop' }> | undefined;
}

/** Reads one function from its locals to its end. */
class BodyReader {
  readonly #code: ByteReader;
  #limits: CodeContext;
  readonly #sites: Site[] = [];
  readonly #blocks: Block[] = [];
  /** With which weight each of the loops began that have begun. */
  readonly #loops: number[] = [];
  #weight = 0;
  #isIndirect = false;
  /** Where the instruction begins that is read. */
  #at = 0;

  /** `weightOf` tells what a call takes beyond its own bytes. */
  constructor(body: Uint8Array, limits: ModuleContext, weightOf: (called: number) => number) {
    this.#code = new ByteReader(body);
    this.#limits = { ...limits, onCall: (called) => this.#call(weightOf(called)), locals: 0 };
  }

  /** Its parameters and results are not part of its code. */
  read(signature: Signature): Read {
    const locals = this.#locals();
    this.#limits = { ...this.#limits, locals: parametersIn(signature) + locals };
    this.#weight = BYTES_PER_LOCAL * (valuesIn(signature) + locals);
    const begin = this.#code.at;
    this.#open(false);
    while (this.#blocks.length > 0) this.#step();
    if (!this.#code.isAtEnd) throw new MalformedBinary(`it goes on after its end at byte ${this.#code.at}`);
    const free = hasLoops(this.#sites) ? FREE_IN_LOOPS * BYTES_PER_UNIT : 0;
    return { begin, sites: this.#sites, weight: this.#weight + free, isIndirect: this.#isIndirect };
  }

  #locals(): number {
    const count = this.#code.list(readLocals).reduce((sum, one) => sum + one, 0);
    if (count <= MAX_LOCALS) return count;
    throw new MalformedBinary(`it has ${count} locals; at most ${MAX_LOCALS} are taken`);
  }

  #step(): void {
    this.#at = this.#code.at;
    const step = readInstruction(this.#code, this.#limits);
    const length = this.#code.at - this.#at;
    this.#weight += length;
    if (step !== 'plain') this.#mind(step, length);
  }

  #mind(step: Exclude<Step, 'plain'>, length: number): void {
    if (step === 'block' || step === 'loop') return this.#open(step === 'loop');
    if (step === 'end') return this.#close();
    if (step === 'indirect') {
      this.#isIndirect = true;
      this.#call(MOST_CARRIED);
    } else this.#sites.push({ kind: step, at: this.#at, length });
  }

  /** Beforehand for all that is done without a loop, unless that is much: or else a long row of calls would have no end in sight. */
  #call(weight: number): void {
    if (weight === 0) return;
    const began = this.#loops.at(-1) ?? 0;
    if (this.#weight - began + weight <= MOST_BEFOREHAND) this.#weight += weight;
    else this.#sites.push({ kind: 'call', at: this.#at, fuel: unitsOf(weight) });
  }

  #open(isLoop: boolean): void {
    if (this.#blocks.length === MAX_BLOCKS) {
      throw new MalformedBinary(`it has more than ${MAX_BLOCKS} blocks within each other`);
    }
    const loop = isLoop ? { kind: 'loop' as const, at: this.#code.at, fuel: 0 } : undefined;
    if (loop !== undefined) {
      this.#sites.push(loop);
      this.#loops.push(this.#weight);
    }
    this.#blocks.push({ began: this.#weight, loop });
  }

  #close(): void {
    const block = this.#blocks.pop();
    if (block?.loop === undefined) return;
    this.#loops.pop();
    block.loop.fuel = unitsOf(this.#weight - block.began);
    // It takes that already for its first turn: what stands around it need not.
    this.#weight = block.began;
  }
}

/** Whether a function takes fuel for turns of loops. */
export function hasLoops(sites: readonly Site[]): boolean {
  return sites.some(({ kind }) => kind === 'loop');
}

/** Their types have one byte each, or else the code would not begin where it is thought to. */
function readLocals(reader: ByteReader): number {
  const count = reader.u32();
  const type = reader.byte();
  if (VALUE_TYPES[type] !== undefined) return count;
  throw new MalformedBinary(`its locals have the type 0x${type.toString(16)}, which is not known here`);
}

/** How many parameters and results there are. */
function valuesIn(signature: Signature): number {
  return signature.split(/,|->/).filter((one) => one !== '').length;
}

function parametersIn(signature: Signature): number {
  return valuesIn(signature.split('->')[0] ?? '');
}

function unitsOf(bytes: number): number {
  return 1 + Math.floor(bytes / BYTES_PER_UNIT);
}
