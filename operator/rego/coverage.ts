// SPDX-License-Identifier: Apache-2.0
import { isObject, type JsonObject, listAt, objectAt } from './gatekeeper/json.ts';
import { isTestFile, type TestLines } from './rego-tests.ts';

/** What tests reach. */
export interface Coverage {
  /** Lines of rules that they reach, of a hundred, rounded down; 100 where there are none. */
  readonly percent: number;
  /** Lines that they do not, in the order of files: `abac/tools.rego:13-15`. */
  readonly missed: readonly string[];
}

/**
 * What tests reach of the rules. Tests are no part of that, wherever they stand: in files of their own, or as `tests` says, beside the rules that they
 * are of. Undefined where the report, as `opa test --coverage` writes it, is none.
 */
export function coverageOf(report: unknown, tests: ReadonlyMap<string, TestLines>): Coverage | undefined {
  if (!isObject(report) || !isObject(report['files'])) return undefined;
  const files = Object.entries(report['files'])
    .filter(([path]) => !isTestFile(path))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, file]) => ({ path, ...linesOf(asObject(file), tests.get(path)) }));
  const covered = files.reduce((sum, one) => sum + one.covered.length, 0);
  const missed = files.reduce((sum, one) => sum + one.missed.length, 0);
  const percent = covered + missed === 0 ? 100 : Math.floor((covered * 100) / (covered + missed));
  return { percent, missed: files.flatMap((one) => runsOf(one.missed).map((run) => `${one.path}:${run}`)) };
}

function linesOf(file: JsonObject, tests: TestLines = new Set<number>()) {
  const of = (name: string): readonly number[] => {
    const lines = listAt(file, name).flatMap((range) => rowsOf(asObject(range)));
    return tests === 'all' ? [] : [...new Set(lines)].filter((line) => !tests.has(line));
  };
  return { covered: of('covered'), missed: of('not_covered') };
}

/** runsOf([4, 5, 9]) -> ['4-5', '9'] */
function runsOf(lines: readonly number[]): readonly string[] {
  const sorted = lines.toSorted((a, b) => a - b);
  const starts = sorted.filter((line) => !sorted.includes(line - 1));
  const ends = sorted.filter((line) => !sorted.includes(line + 1));
  return starts.map((start, index) => (start === ends[index] ? `${start}` : `${start}-${ends[index] ?? ''}`));
}

function rowsOf(range: JsonObject): readonly number[] {
  const [start, end] = [Number(objectAt(range, 'start')['row']), Number(objectAt(range, 'end')['row'])];
  return fromTo(start, end);
}

/** fromTo(3, 5) -> [3, 4, 5] */
function fromTo(start: number, end: number): readonly number[] {
  return Array.from({ length: Math.max(end - start + 1, 0) }, (_, index) => start + index);
}

function asObject(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}
