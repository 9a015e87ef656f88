// SPDX-License-Identifier: Apache-2.0
import { type Fault, ModuleFault, type ModuleLimits } from '../faults.ts';
import type { ModuleShape, SegmentShape } from './shape.ts';

/** Of a WebAssembly memory. */
export const PAGE_BYTES = 65_536;
/** Far more than the seven kinds of numbers that a policy has. */
const MAX_GLOBALS = 1024;
const MAX_SEGMENTS = 65_536;

/** What is too large in a module, or would be put where nothing is. */
export function sizeFaults(shape: ModuleShape, limits: ModuleLimits): readonly Fault[] {
  return [
    ...countFaults(shape, limits),
    ...tableFaults(shape, limits),
    ...dataFaults(shape, limits),
    ...elementFaults(shape),
  ];
}

function countFaults(shape: ModuleShape, limits: ModuleLimits): readonly Fault[] {
  const largest = shape.bodies.reduce((most, body) => Math.max(most, body.length), 0);
  return [
    atMost('functions', shape.functions.length, limits.maxFunctions),
    atMost('bytes in one function', largest, limits.maxFunctionBytes),
    atMost('pages of memory to begin with', initialPages(shape), limits.memoryPages),
    atMost('globals', shape.globals.length, MAX_GLOBALS),
    atMost('types', shape.signatures.length, limits.maxFunctions),
    atMost('segments', shape.data.length + shape.elements.length, MAX_SEGMENTS),
  ].flat();
}

function initialPages({ imports }: ModuleShape): number {
  return imports.reduce((most, one) => (one.kind === 'memory' ? Math.max(most, one.memory.min) : most), 0);
}

function atMost(what: string, found: number, most: number): readonly Fault[] {
  if (found <= most) return [];
  return [
    { reason: ModuleFault.TooLarge, message: `the module has ${found} ${what}; at most ${most} are taken` },
  ];
}

function tableFaults({ tables }: ModuleShape, limits: ModuleLimits): readonly Fault[] {
  if (tables.length > limits.maxTables) return atMost('tables', tables.length, limits.maxTables);
  return tables.flatMap(({ min, max }) => {
    const most = max ?? Number.POSITIVE_INFINITY;
    if (Math.max(min, most) <= limits.maxTableElements) return [];
    const found = max === undefined ? 'no maximum' : `a maximum of ${Math.max(min, max)}`;
    const message = `the table of functions has ${found}; it needs one of at most ${limits.maxTableElements}`;
    return [{ reason: ModuleFault.TooLarge, message }];
  });
}

function dataFaults(shape: ModuleShape, { memoryPages }: ModuleLimits): readonly Fault[] {
  return outside(shape.data, {
    room: memoryPages * PAGE_BYTES,
    sizeOf: (bytes) => bytes.length,
    what: 'data',
  });
}

function elementFaults({ elements, tables }: ModuleShape): readonly Fault[] {
  return outside(elements, {
    room: tables[0]?.min ?? 0,
    sizeOf: (functions) => functions.length,
    what: 'functions of the table',
  });
}

interface Room<T> {
  readonly room: number;
  readonly sizeOf: (content: T) => number;
  readonly what: string;
}

/** The first segment that does not fit into what there is to begin with. */
function outside<T>(segments: readonly SegmentShape<T>[], { room, sizeOf, what }: Room<T>): readonly Fault[] {
  const found = segments.find(({ offset, content }) => offset + sizeOf(content) > room);
  if (found === undefined) return [];
  const end = found.offset + sizeOf(found.content);
  const message = `${what} would be put from ${found.offset} to ${end}; there is room up to ${room}`;
  return [{ reason: ModuleFault.Segment, message }];
}
